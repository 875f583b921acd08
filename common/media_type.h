// A media type with its parameters (RFC 9110 §8.3.1), and whether an Accept field asks for it by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse {

class MediaType {
 public:
  // "type/subtype;name=value": no wildcards, no q. nullopt: it is none.
  static std::optional<MediaType> parse(std::string_view text);

  // Whether one of the ranges of an Accept field (RFC 9110 §12.5.1) is of this type and has these parameters, whatever
  // others it has, with a weight above 0. A wildcard asks for no type by name. Takes no memory.
  bool is_named_in(std::string_view accept) const;

 private:
  using Parameter = std::pair<std::string, std::string>;
  bool is_named_by(std::string_view range) const;

  std::string type_;  // with its subtype
  std::vector<Parameter> parameters_;
};

}  // namespace gatehouse
