// Result<T>: a value or an Error. It has the names of std::expected (absent from C++20), so that an alias can
// replace it. Used outside the hot path; the hot path returns enums and never allocates in order to fail.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/check.h"

namespace gatehouse {

// What went wrong, in words that an operator can act on: what was expected, what was found, and where.
struct Error {
  std::string message;
};

// Returns an Error that says `what` and the text of the current errno.
Error system_error(std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() { GH_CHECK(has_value()); return std::get<0>(state_); }
  const T& value() const { GH_CHECK(has_value()); return std::get<0>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { GH_CHECK(!has_value()); return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  bool has_value() const { return !failed_; }
  explicit operator bool() const { return has_value(); }
  const Error& error() const { GH_CHECK(failed_); return error_; }

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;

}  // namespace gatehouse
