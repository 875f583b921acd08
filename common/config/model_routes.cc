// What a route's matches are, and the one value of routes that is a text of two numbers.
#include "common/config/model_routes.h"

#include <charconv>

namespace gatehouse::config {
namespace {

bool read_number(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

}  // namespace

std::span<const RouteMatch> matches_of(const Route& route) {
  if (route.matches.empty()) return {static_cast<const RouteMatch*>(&route), 1};
  return route.matches;
}

std::optional<NumberRange> NumberRange::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.size() < 2) return std::nullopt;
  const std::string_view least = text.substr(0, dash), most = text.substr(dash + 1);
  NumberRange range;
  if (!least.empty() && !read_number(least, range.least)) return std::nullopt;
  if (!most.empty() && !read_number(most, range.most)) return std::nullopt;
  return range.least <= range.most ? std::optional(range) : std::nullopt;
}

}  // namespace gatehouse::config
