// Owns objects that end themselves from inside their own callbacks: destroyed at the end of the turn. Gives
// one that could go on for long its next turn after the others. T has `place` and `is_resumed` for the
// roster's use, and advance().
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "common/event_loop.h"

namespace gatehouse::l7 {

template <typename T>
class Roster {
 public:
  explicit Roster(EventLoop& loop) : loop_(loop) {}
  Roster(const Roster&) = delete;

  bool is_empty() const { return members_.empty(); }
  std::size_t size() const { return members_.size(); }

  void adopt(std::unique_ptr<T> member) {
    T& adopted = *member;
    adopted.place = members_.size();
    members_.push_back(std::move(member));
    adopted.advance();
  }
  void retire(T& member) {
    if (retired_.empty()) loop_.defer([this] { bury(); });
    if (member.is_resumed) std::erase(resumed_, &member);
    std::replace(running_.begin(), running_.end(), &member, static_cast<T*>(nullptr));
    const std::size_t place = member.place;
    retired_.push_back(std::move(members_[place]));
    if (place + 1 < members_.size()) {
      members_[place] = std::move(members_.back());
      members_[place]->place = place;
    }
    members_.pop_back();
  }
  void resume_later(T& member) {
    if (std::exchange(member.is_resumed, true)) return;
    if (resumed_.empty()) loop_.defer([this] { resume(); });
    resumed_.push_back(&member);
  }
  // Before what the members use goes away.
  void clear() {
    std::exchange(members_, {}).clear();
    std::exchange(retired_, {}).clear();
  }

 private:
  void bury() {
    buried_.swap(retired_);
    buried_.clear();
  }
  // Those that ask for a further turn meanwhile get it in the next one.
  void resume() {
    running_.swap(resumed_);
    for (std::size_t i = 0; i < running_.size(); ++i) {
      T* member = running_[i];
      if (!member) continue;
      member->is_resumed = false;
      member->advance();
    }
    running_.clear();
  }

  EventLoop& loop_;
  std::vector<std::unique_ptr<T>> members_;
  std::vector<std::unique_ptr<T>> retired_;
  std::vector<std::unique_ptr<T>> buried_;
  std::vector<T*> resumed_;
  std::vector<T*> running_;  // resumed in this turn
};

}  // namespace gatehouse::l7
