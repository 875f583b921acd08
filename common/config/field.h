// How an option is declared: name, member, documentation, flags, bounds. The tables are in fields_site.h, fields_http.h and
// fields_routes.h.
#pragma once

#include <cstdint>
#include <limits>
#include <tuple>

#include "common/config/model.h"

namespace gatehouse::config {

enum FieldFlags : unsigned {
  kOptional = 0,
  kRequired = 1,  // must be given
  kPath = 2,      // a file: relative to the config file's folder
  kAuto = 4,      // a number, or "auto" for 0
  kAny = 16,      // a number, or "any" for 0
  kOneOrMore = 8, // a list that may be given as its only element
};

template <typename Struct, typename Member>
struct Field {
  const char* name;
  Member Struct::* member;
  const char* doc;
  unsigned flags = kOptional;
  std::int64_t least = std::numeric_limits<std::int64_t>::min();  // of numbers, milliseconds, bytes
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(const char* name, Member Struct::* member, const char* doc, unsigned flags = kOptional,
                                      std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  return {name, member, doc, flags, least, most};
}

// kFields<T>: the options of T.
template <typename T>
inline constexpr int kFields = 0;

inline constexpr std::int64_t kDay = 24 * 3'600'000;

}  // namespace gatehouse::config
