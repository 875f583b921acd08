// What a route does with a request beside finding its pool: answers it, asks the backend for something else, changes fields.
// Compiled once per Config, immutable. Texts with variables are put together in a RouteScratch, which a worker has once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model_routes.h"
#include "l7/capturing_regex.h"
#include "l7/http/field_edits.h"
#include "l7/http/message.h"
#include "l7/matched_path.h"
#include "l7/own_cookie.h"
#include "l7/priority_class.h"
#include "l7/query_plan.h"
#include "l7/text_template.h"

namespace gatehouse::l7 {

// Fields with values that are put together for each message.
class HeaderPlan {
 public:
  explicit HeaderPlan(const config::HeaderChanges& changes);
  bool is_empty() const { return dropped_.empty() && written_.empty(); }
  bool has(config::Variable variable) const;

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
  std::string query;    // a rewritten one
  std::string sticky_cookie;   // values of Set-Cookie
  std::string affinity_cookie;
};

class RoutePlan {
 public:
  // `file`: what the file of its response says.
  RoutePlan(const config::Route& route, std::string_view file);

  // Whether {client.country} stands somewhere.
  bool names_country() const;

  const HeaderPlan& request_fields() const { return request_fields_; }
  const HeaderPlan& response_fields() const { return response_fields_; }

  bool is_redirect() const { return redirect_.has_value(); }
  bool is_answer() const { return redirect_ || response_; }
  std::uint16_t status() const { return redirect_ ? redirect_->status : response_->status; }
  // Where a redirect leads. False: the request does not say enough for a URL.
  bool write_location(const http::Request& request, const RouteFacts& facts, std::string& out) const;
  const HeaderPlan& answer_fields() const { return answer_fields_; }
  std::string_view body() const { return response_->body; }

  const MatchedPath& matched(std::size_t match) const { return matched_[match]; }

  PriorityClass priority_class() const { return priority_class_; }

  // nullptr: clients do not stay with a pool.
  const OwnCookie* sticky() const { return sticky_ ? &*sticky_ : nullptr; }

  // Host for the backend; empty: the client's.
  std::string_view host() const { return rewrite_.host; }
  bool rewrites_path() const { return new_path_ || regex_ || !rewrite_.replace_prefix.empty() || rewrite_.strip_prefix; }
  void write_path(const RouteFacts& facts, std::string& out) const;
  // nullptr: the query stays.
  const QueryPlan* query() const { return query_ ? &*query_ : nullptr; }

 private:
  static void append_replaced(const RouteFacts& facts, std::string_view replacement, std::string& out);
  void append_substituted(std::string_view path, std::string& out) const;

  std::vector<MatchedPath> matched_;  // by match
  HeaderPlan request_fields_;
  HeaderPlan response_fields_;
  HeaderPlan answer_fields_;
  std::optional<config::Redirect> redirect_;
  std::optional<Template> target_;
  std::optional<config::DirectResponse> response_;
  config::Rewrite rewrite_;
  std::optional<Template> new_path_;
  std::optional<CapturingRegex> regex_;
  std::optional<QueryPlan> query_;
  std::optional<OwnCookie> sticky_;
  PriorityClass priority_class_;
};

}  // namespace gatehouse::l7
