// What a route does with a request beside finding its pool: answers it, asks the backend for something else, changes fields.
// Compiled once per Config, immutable. Texts with variables are put together in a RouteScratch, which a worker has once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model_routes.h"
#include "common/config/path_template.h"
#include "common/config/template.h"
#include "l7/http/field_edits.h"
#include "l7/http/message.h"
#include "l7/own_cookie.h"
#include "l7/priority_class.h"

namespace gatehouse::l7 {

// What variables stand for. Those of the request are empty once its head is gone.
struct RouteFacts {
  std::string_view client_address, request_id, route, sni, scheme, host, path;
  std::string_view query;  // with its '?'
  static std::string_view query_of(const http::Request& request);

  const config::PathTemplate* path_template = nullptr;  // of the route, when it has one

  std::string_view value(const config::TemplatePart& part) const;  // of one with a variable
};

class Template {
 public:
  explicit Template(std::string_view text);  // that the config's check let through
  std::size_t size(const RouteFacts& facts) const;
  void append(const RouteFacts& facts, std::string& out) const;

 private:
  std::vector<config::TemplatePart> parts_;
};

// Fields with values that are put together for each message.
class HeaderPlan {
 public:
  explicit HeaderPlan(const config::HeaderChanges& changes);
  bool is_empty() const { return dropped_.empty() && written_.empty(); }

 private:
  friend class FieldScratch;
  struct Written {
    std::string name;
    Template value;
  };
  std::vector<std::string> dropped_;
  std::vector<Written> written_;
};

// Where the fields of one message are put together; valid until the next. Allocates only until it has seen the largest.
class FieldScratch {
 public:
  const http::FieldEdits& expand(const HeaderPlan& plan, const RouteFacts& facts);
  // Those of no plan, for add().
  void clear();
  // One more field behind those of the plan; its texts live on until the message is written.
  const http::FieldEdits& add(http::Field field);

 private:
  std::string text_;
  std::vector<http::Field> fields_;
  http::FieldEdits edits_;
};

struct RouteScratch {
  FieldScratch edits;   // of the head that is being written
  FieldScratch answer;  // fields of an answer of the route's own
  std::string path;     // as the listener's rules want it: see path_rules.h
  std::string target;   // a rewritten path, a Location
  std::string sticky_cookie;   // values of Set-Cookie
  std::string affinity_cookie;
};

class RoutePlan {
 public:
  explicit RoutePlan(const config::Route& route);

  const HeaderPlan& request_fields() const { return request_fields_; }
  const HeaderPlan& response_fields() const { return response_fields_; }

  bool is_redirect() const { return redirect_.has_value(); }
  bool is_answer() const { return redirect_ || response_; }
  std::uint16_t status() const { return redirect_ ? redirect_->status : response_->status; }
  // Where a redirect leads. False: the request does not say enough for a URL.
  bool write_location(const http::Request& request, const RouteFacts& facts, std::string& out) const;
  const HeaderPlan& answer_fields() const { return answer_fields_; }
  std::string_view body() const { return response_->body; }

  // nullptr: the route goes by no template.
  const config::PathTemplate* path_template() const { return path_template_ ? &*path_template_ : nullptr; }

  PriorityClass priority_class() const { return priority_class_; }

  // nullptr: clients do not stay with a pool.
  const OwnCookie* sticky() const { return sticky_ ? &*sticky_ : nullptr; }

  // Host for the backend; empty: the client's.
  std::string_view host() const { return rewrite_.host; }
  bool rewrites_path() const { return !rewrite_.path.empty() || !rewrite_.replace_prefix.empty() || rewrite_.strip_prefix; }
  void write_path(const RouteFacts& facts, std::string& out) const;

 private:
  void append_replaced(std::string_view path, std::string_view replacement, std::string& out) const;

  std::string prefix_;  // of the route, without a '/' at its end
  HeaderPlan request_fields_;
  HeaderPlan response_fields_;
  HeaderPlan answer_fields_;
  std::optional<config::Redirect> redirect_;
  std::optional<Template> target_;
  std::optional<config::DirectResponse> response_;
  config::Rewrite rewrite_;
  std::optional<Template> new_path_;
  std::optional<config::PathTemplate> path_template_;
  std::optional<OwnCookie> sticky_;
  PriorityClass priority_class_;
};

}  // namespace gatehouse::l7
