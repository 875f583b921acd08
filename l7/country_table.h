// From addresses to countries: sorted ranges, as the supervisor makes them of a database
// (supervisor/country_database.h) and hands them to workers, which read no files. Immutable; a lookup is a
// binary search.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"

namespace gatehouse::l7 {

// Two letters (ISO 3166-1), or none.
class CountryCode {
 public:
  CountryCode() = default;
  // Of two letters in any case; nullopt: it is none.
  static std::optional<CountryCode> parse(std::string_view text);
  std::string_view view() const {
    return letters_[0] ? std::string_view(letters_.data(), letters_.size()) : std::string_view();
  }
  bool operator==(const CountryCode&) const = default;

 private:
  std::array<char, 2> letters_{};
};

class CountryTable {
 public:
  // First address of a range: IPv6, or an IPv4 address as ::a.b.c.d.
  struct Start {
    std::uint64_t high = 0, low = 0;
    auto operator<=>(const Start&) const = default;
  };

  CountryTable() = default;
  // Each range ends where the next begins: they come in order.
  void add(Start start, CountryCode country);
  CountryCode find(const IpAddress& address) const;
  std::size_t size() const { return starts_.size(); }
  bool has_country() const;

  // For workers. What is malformed is a broken invariant: the supervisor wrote it.
  std::string to_bytes() const;
  static CountryTable from_bytes(std::string_view bytes);  // empty: an empty table

 private:
  std::vector<Start> starts_;
  std::vector<CountryCode> countries_;
};

}  // namespace gatehouse::l7
