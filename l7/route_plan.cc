// Puts texts with variables together, and paths with another prefix.
#include "l7/route_plan.h"

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kAroundField = 4;  // ": " and CRLF

config::HeaderChanges answer_headers(const config::Route& route) {
  config::HeaderChanges changes;
  if (route.response) changes.add = route.response->headers;
  return changes;
}

}  // namespace

// A '?' with nothing behind it is a query too: the view's data tells.
std::string_view RouteFacts::query_of(const http::Request& request) {
  return request.query.data() ? std::string_view(request.query.data() - 1, request.query.size() + 1) : std::string_view();
}

std::string_view RouteFacts::value(const config::TemplatePart& part) const {
  using config::Variable;
  switch (*part.variable) {
    case Variable::kClientAddress: return client_address;
    case Variable::kRequestId: return request_id;
    case Variable::kRoute: return route;
    case Variable::kSni: return sni;
    case Variable::kScheme: return scheme;
    case Variable::kHost: return host;
    case Variable::kPath: return path;
    case Variable::kQuery: return query;
    case Variable::kSegment: return path_template ? path_template->value(path, part.text).value_or("") : std::string_view();
  }
  GH_CHECK(false);
}

Template::Template(std::string_view text) {
  auto parsed = config::parse_template(text);
  GH_CHECK(parsed.has_value());
  parts_ = std::move(*parsed);
}

std::size_t Template::size(const RouteFacts& facts) const {
  std::size_t size = 0;
  for (const config::TemplatePart& part : parts_) size += part.variable ? facts.value(part).size() : part.text.size();
  return size;
}

void Template::append(const RouteFacts& facts, std::string& out) const {
  for (const config::TemplatePart& part : parts_) out += part.variable ? facts.value(part) : std::string_view(part.text);
}

HeaderPlan::HeaderPlan(const config::HeaderChanges& changes) : dropped_(changes.remove) {
  for (const config::HeaderValue& field : changes.set) {
    dropped_.push_back(field.name);
    written_.push_back({field.name, Template(field.value)});
  }
  for (const config::HeaderValue& field : changes.add) written_.push_back({field.name, Template(field.value)});
}

const http::FieldEdits& FieldScratch::expand(const HeaderPlan& plan, const RouteFacts& facts) {
  std::size_t size = 0;
  edits_.size = 0;
  for (const HeaderPlan::Written& field : plan.written_) {
    const std::size_t of_value = field.value.size(facts);
    size += of_value;
    edits_.size += field.name.size() + of_value + kAroundField;
  }
  text_.clear();
  text_.reserve(size);  // views into it stay
  fields_.clear();
  for (const HeaderPlan::Written& field : plan.written_) {
    const std::size_t start = text_.size();
    field.value.append(facts, text_);
    fields_.push_back({field.name, std::string_view(text_).substr(start)});
  }
  edits_.dropped = plan.dropped_;
  edits_.written = fields_;
  return edits_;
}

void FieldScratch::clear() {
  fields_.clear();
  edits_ = {};
}

const http::FieldEdits& FieldScratch::add(http::Field field) {
  fields_.push_back(field);
  edits_.written = fields_;
  edits_.size += field.name.size() + field.value.size() + kAroundField;
  return edits_;
}

RoutePlan::RoutePlan(const config::Route& route)
    : prefix_(route.path_prefix),
      request_fields_(route.request_headers),
      response_fields_(route.response_headers),
      answer_fields_(answer_headers(route)),
      redirect_(route.redirect),
      response_(route.response),
      rewrite_(route.rewrite.value_or(config::Rewrite())),
      priority_class_(parse_priority_class(route.priority_class)) {
  if (prefix_.ends_with('/')) prefix_.pop_back();
  if (redirect_ && !redirect_->target.empty()) target_.emplace(redirect_->target);
  if (!rewrite_.path.empty()) new_path_.emplace(rewrite_.path);
  if (!route.path_template.empty()) path_template_ = *config::PathTemplate::parse(route.path_template);
  if (route.sticky) sticky_.emplace(*route.sticky, "sticky");
}

// The whole request is said again, host included: a path that begins with "//" alone would name another host
// (RFC 3986 §4.2).
bool RoutePlan::write_location(const http::Request& request, const RouteFacts& facts, std::string& out) const {
  out.clear();
  if (target_) {
    target_->append(facts, out);
    return true;
  }
  const bool has_other_scheme = !redirect_->scheme.empty() && redirect_->scheme != facts.scheme;
  const std::string_view own = has_other_scheme ? request.host : request.authority;
  const std::string_view authority = redirect_->host.empty() ? own : std::string_view(redirect_->host);
  if (authority.empty()) return false;
  out.append(redirect_->scheme.empty() ? facts.scheme : redirect_->scheme).append("://").append(authority);
  if (!redirect_->path.empty()) {
    out += redirect_->path;
  } else if (!redirect_->replace_prefix.empty()) {
    append_replaced(facts.path, redirect_->replace_prefix, out);
  } else {
    out += facts.path;
  }
  if (!redirect_->query) out += facts.query;
  if (redirect_->query && !redirect_->query->empty()) out.append("?").append(*redirect_->query);
  return true;
}

void RoutePlan::append_replaced(std::string_view path, std::string_view replacement, std::string& out) const {
  const std::string_view rest = path.substr(prefix_.size());
  if (replacement.ends_with('/')) replacement.remove_suffix(1);
  if (replacement.empty() && rest.empty()) out += '/';
  out.append(replacement).append(rest);
}

void RoutePlan::write_path(const RouteFacts& facts, std::string& out) const {
  out.clear();
  if (facts.path == "*") {
    out = facts.path;  // the whole server: it has no part that could be another
  } else if (new_path_) {
    new_path_->append(facts, out);
  } else {
    append_replaced(facts.path, rewrite_.replace_prefix, out);
  }
}

}  // namespace gatehouse::l7
