// Objects that are made once and used many times, so that a request costs no allocation once the worker is warm. What is
// given back is kept as it is: its owner has brought it to rest.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace gatehouse::l7 {

template <typename Object>
class ObjectPool {
 public:
  template <typename... Arguments>
  std::unique_ptr<Object> take(Arguments&&... arguments) {
    if (free_.empty()) return std::make_unique<Object>(std::forward<Arguments>(arguments)...);
    std::unique_ptr<Object> object = std::move(free_.back());
    free_.pop_back();
    return object;
  }
  void give(std::unique_ptr<Object> object) {
    if (free_.size() < kMost) free_.push_back(std::move(object));
  }
  void clear() { free_.clear(); }

 private:
  static constexpr std::size_t kMost = 1024;
  std::vector<std::unique_ptr<Object>> free_;
};

}  // namespace gatehouse::l7
