// Puts fields together, and paths with another prefix.
#include "l7/route_plan.h"

#include <algorithm>

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kAroundField = 4;  // ": " and CRLF

config::HeaderChanges answer_headers(const config::Route& route) {
  config::HeaderChanges changes;
  if (!route.response) return changes;
  changes.add = route.response->headers;
  if (!route.response->content_type.empty()) changes.add.push_back({"Content-Type", route.response->content_type});
  return changes;
}

}  // namespace

HeaderPlan::HeaderPlan(const config::HeaderChanges& changes) : dropped_(changes.remove) {
  for (const config::HeaderValue& field : changes.set) {
    dropped_.push_back(field.name);
    written_.push_back({field.name, Template(field.value)});
  }
  for (const config::HeaderValue& field : changes.add) written_.push_back({field.name, Template(field.value)});
}

bool HeaderPlan::has(config::Variable variable) const {
  return std::any_of(written_.begin(), written_.end(), [variable](const Written& field) { return field.value.has(variable); });
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

RoutePlan::RoutePlan(const config::Route& route, std::string_view file)
    : request_fields_(route.request_headers),
      response_fields_(route.response_headers),
      answer_fields_(answer_headers(route)),
      redirect_(route.redirect),
      response_(route.response),
      rewrite_(route.rewrite.value_or(config::Rewrite())),
      priority_class_(parse_priority_class(route.priority_class)) {
  for (const config::RouteMatch& match : config::matches_of(route)) matched_.emplace_back(match);
  if (response_ && !response_->file.empty()) response_->body = file;
  if (redirect_ && !redirect_->target.empty()) target_.emplace(redirect_->target);
  if (!rewrite_.path.empty()) new_path_.emplace(rewrite_.path);
  if (!rewrite_.regex.empty()) regex_.emplace(rewrite_.regex);
  if (rewrite_.query) query_.emplace(*rewrite_.query);
  if (route.sticky) sticky_.emplace(*route.sticky, "sticky");
}

bool RoutePlan::names_country() const {
  constexpr config::Variable kCountry = config::Variable::kClientCountry;
  return request_fields_.has(kCountry) || response_fields_.has(kCountry) || answer_fields_.has(kCountry) || (target_ && target_->has(kCountry)) ||
         (new_path_ && new_path_->has(kCountry)) || (query_ && query_->has(kCountry));
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
    append_replaced(facts, redirect_->replace_prefix, out);
  } else {
    out += facts.path;
  }
  if (!redirect_->query) out += facts.query;
  if (redirect_->query && !redirect_->query->empty()) out.append("?").append(*redirect_->query);
  return true;
}

void RoutePlan::append_replaced(const RouteFacts& facts, std::string_view replacement, std::string& out) {
  const std::string_view rest = facts.path.substr(facts.matched->prefix().size());
  if (replacement.ends_with('/')) replacement.remove_suffix(1);
  if (replacement.empty() && rest.empty()) out += '/';
  out.append(replacement).append(rest);
}

// Groups may have slashes at their ends: a path that begins with two of them would name a host (RFC 3986 §4.2).
void RoutePlan::append_substituted(std::string_view path, std::string& out) const {
  CapturingRegex::Groups groups;
  if (!regex_->take(path, groups)) {
    out += path;
    return;
  }
  std::string_view rest = rewrite_.substitution;
  while (!rest.empty()) {
    const bool is_escape = rest.front() == '\\';  // the config's check saw that something is behind it
    const char c = rest[is_escape ? 1 : 0];
    rest.remove_prefix(is_escape ? 2 : 1);
    const bool is_group = is_escape && c != '\\';
    const std::string_view text = is_group ? groups[static_cast<std::size_t>(c - '0')] : std::string_view(&c, 1);
    out += out == "/" && text.starts_with('/') ? text.substr(std::min(text.find_first_not_of('/'), text.size())) : text;
  }
}

void RoutePlan::write_path(const RouteFacts& facts, std::string& out) const {
  out.clear();
  if (facts.path == "*") {
    out = facts.path;  // the whole server: it has no part that could be another
  } else if (new_path_) {
    new_path_->append(facts, out);
  } else if (regex_) {
    append_substituted(facts.path, out);
  } else {
    append_replaced(facts, rewrite_.replace_prefix, out);
  }
}

}  // namespace gatehouse::l7
