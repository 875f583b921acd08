// Takes JSON of a peer apart, one object at a time: every field is of its type and within its range, or the object is
// refused with the field's name and what was expected. Fields that nobody asks for are left alone: later versions add some.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"

namespace gatehouse::control {

// Reads fields of one object; the first that is missing or wrong becomes the error.
class FieldReader {
 public:
  FieldReader(const nlohmann::json& object, std::string what) : object_(object), what_(std::move(what)) {
    if (!object.is_object()) refuse("", "an object");
  }

  template <typename T>
  void number(const char* name, T& out) {
    const nlohmann::json* value = find(name);
    const bool is_good = value && value->is_number_integer() &&
                         (value->is_number_unsigned()
                              ? value->get<std::uint64_t>() <= std::numeric_limits<T>::max()
                              : std::numeric_limits<T>::is_signed &&
                                    value->get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min()));
    if (!is_good) return refuse(name, "a number up to " + std::to_string(std::numeric_limits<T>::max()));
    out = static_cast<T>(value->get<std::int64_t>());
    if (value->is_number_unsigned()) out = static_cast<T>(value->get<std::uint64_t>());
  }
  void text(const char* name, std::string& out) {
    const nlohmann::json* value = find(name);
    if (!value || !value->is_string()) return refuse(name, "a text");
    out = value->get<std::string>();
  }
  void flag(const char* name, bool& out) {
    const nlohmann::json* value = find(name);
    if (!value || !value->is_boolean()) return refuse(name, "true or false");
    out = value->get<bool>();
  }
  template <typename T, typename Parse>
  void parsed(const char* name, T& out, const char* expected, Parse parse) {
    std::string written;
    text(name, written);
    const auto value = parse(written);
    if (!value) return refuse(name, expected);
    out = *value;
  }
  template <typename T, typename Parse>
  void list(const char* name, std::vector<T>& out, Parse parse) {
    const nlohmann::json* value = find(name);
    if (!value || !value->is_array()) return refuse(name, "a list");
    for (const nlohmann::json& element : *value) {
      auto item = parse(element);
      if (!item) {
        if (error_.empty()) error_ = item.error().message;
        return;
      }
      out.push_back(std::move(*item));
    }
  }
  // None when it is missing: earlier versions do not send it.
  template <typename T, typename Parse>
  void optional(const char* name, std::optional<T>& out, Parse parse) {
    const nlohmann::json* value = find(name);
    if (!value) return;
    auto read = parse(*value);
    if (read) {
      out = std::move(*read);
    } else if (error_.empty()) {
      error_ = what_ + ": " + read.error().message;
    }
  }
  template <typename T, typename Parse>
  void object(const char* name, T& out, const char* expected, Parse parse) {
    std::optional<T> read;
    optional(name, read, parse);
    if (!read) return refuse(name, expected);
    out = std::move(*read);
  }
  void counts(const char* name, std::map<std::string, std::uint64_t>& out) {
    const nlohmann::json* value = find(name);
    if (!value) return;
    if (!value->is_object()) return refuse(name, "numbers by name");
    for (const auto& [key, count] : value->items()) {
      if (!count.is_number_unsigned()) return refuse(name, "numbers by name");
      out[key] = count.get<std::uint64_t>();
    }
  }
  Status finish() const { return error_.empty() ? Status() : Error{error_}; }
  template <typename T>
  Result<T> finish(T value) const {
    if (!error_.empty()) return Error{error_};
    return value;
  }

 private:
  const nlohmann::json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void refuse(const std::string& name, const std::string& expected) {
    if (error_.empty()) error_ = what_ + (name.empty() ? "" : "." + name) + ": expected " + expected;
  }

  const nlohmann::json& object_;
  std::string what_;
  std::string error_;
};

}  // namespace gatehouse::control
