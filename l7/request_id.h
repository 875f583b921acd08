// Request ids: 128 random bits as 32 hexadecimal digits, unique without any agreement between workers. They are names,
// not secrets: a fast generator seeded by the kernel makes them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::l7 {

struct RequestId {
  std::array<char, 32> text{};
  std::string_view view() const { return {text.data(), text.size()}; }
};

class RequestIds {
 public:
  RequestIds();
  RequestId next();
  std::uint64_t next_word();  // any 64 random bits

 private:
  std::uint64_t state_[2];
};

}  // namespace gatehouse::l7
