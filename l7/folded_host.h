// A host as routes are looked up by: in lower case, without the dot of a fully qualified name. One that is longer than
// any name is nobody's: only routes for any host take it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace gatehouse::l7 {

class FoldedHost {
 public:
  explicit FoldedHost(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    length_ = host.size() > kLongest ? 0 : host.size();
    std::transform(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(length_), text_.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
  std::string_view view() const { return {text_.data(), length_}; }

 private:
  static constexpr std::size_t kLongest = 255;  // of a DNS name
  std::array<char, kLongest> text_;
  std::size_t length_;
};

}  // namespace gatehouse::l7
