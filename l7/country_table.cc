#include "l7/country_table.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

CountryTable::Start start_of(const IpAddress& address) {
  CountryTable::Start start;
  const auto& bytes = address.bytes;
  for (std::size_t i = 0; i < 16; ++i) {
    std::uint64_t& half = i < 8 ? start.high : start.low;
    half = half << 8 | bytes[i];
  }
  if (address.is_v4()) start = {0, start.low & 0xffffffff};
  return start;
}

}  // namespace

std::optional<CountryCode> CountryCode::parse(std::string_view text) {
  CountryCode code;
  if (text.size() != code.letters_.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char capital = text[i] >= 'a' && text[i] <= 'z' ? static_cast<char>(text[i] - 32) : text[i];
    if (capital < 'A' || capital > 'Z') return std::nullopt;
    code.letters_[i] = capital;
  }
  return code;
}

void CountryTable::add(Start start, CountryCode country) {
  GH_CHECK(starts_.empty() || starts_.back() < start);
  if (!countries_.empty() && countries_.back() == country) return;
  starts_.push_back(start);
  countries_.push_back(country);
}

CountryCode CountryTable::find(const IpAddress& address) const {
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), start_of(address));
  return next == starts_.begin() ? CountryCode()
                                 : countries_[static_cast<std::size_t>(next - starts_.begin()) - 1];
}

bool CountryTable::has_country() const {
  return std::any_of(countries_.begin(), countries_.end(),
                     [](const CountryCode& country) { return !country.view().empty(); });
}

std::string CountryTable::to_bytes() const {
  std::string bytes;
  bytes.append(reinterpret_cast<const char*>(starts_.data()), starts_.size() * sizeof(Start));
  bytes.append(reinterpret_cast<const char*>(countries_.data()), countries_.size() * sizeof(CountryCode));
  return bytes;
}

CountryTable CountryTable::from_bytes(std::string_view bytes) {
  constexpr std::size_t kEach = sizeof(Start) + sizeof(CountryCode);
  GH_CHECK(bytes.size() % kEach == 0);
  CountryTable table;
  const std::size_t count = bytes.size() / kEach;
  table.starts_.resize(count);
  table.countries_.resize(count);
  if (count == 0) return table;
  std::memcpy(table.starts_.data(), bytes.data(), count * sizeof(Start));
  std::memcpy(table.countries_.data(), bytes.data() + count * sizeof(Start), count * sizeof(CountryCode));
  return table;
}

}  // namespace gatehouse::l7
