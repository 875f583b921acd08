// A backend on a thread of its own whose manner a test changes while requests come: it answers, hangs,
// answers 500 now and then, or takes its time, for a few requests at once if it has slots; and it knows how many
// requests it ever had at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "tests/l7/support/raw_socket.h"

namespace gatehouse::test {

class MoodyBackend {
 public:
  MoodyBackend() : thread_([this] { serve(); }) { is_ready_.wait(false); }
  ~MoodyBackend() {
    is_over_ = true;
    thread_.join();
  }
  const Endpoint& address() const { return address_; }

  std::atomic<bool> hangs = false;  // what comes meanwhile is never answered
  std::atomic<unsigned> failing_percent = 0;
  std::atomic<int> delay_ms = 0;
  std::atomic<std::size_t> slots = 0;  // so many are worked on at once, others wait their turn; 0: all are
  std::atomic<int> most_at_once = 0;
  std::atomic<int> requests = 0;

 private:
  using Time = EventLoop::Clock::time_point;

  void serve() {
    EventLoop loop;
    RawServer server(loop, [this, &loop](RawSocket& connection) { take(connection, loop.now()); });
    address_ = server.address();
    is_ready_ = true;
    is_ready_.notify_one();
    while (!is_over_) {
      loop.turn(Duration(waiting_.empty() ? 20 : 1));
      for (; !waiting_.empty() && waiting_.begin()->first <= loop.now(); waiting_.erase(waiting_.begin()))
        answer(*waiting_.begin()->second);
    }
  }
  void take(RawSocket& connection, Time now) {
    std::string& bytes = connection.received();
    for (std::size_t end; (end = bytes.find("\r\n\r\n")) != std::string::npos;) {
      bytes.erase(0, end + 4);
      ++requests;
      if (hangs) continue;
      waiting_.emplace(done_at(now), &connection);
      most_at_once = std::max(most_at_once.load(), static_cast<int>(waiting_.size()));
    }
  }
  Time done_at(Time now) {
    if (slots == 0) return now + Duration(delay_ms.load());
    free_at_.resize(slots);
    Time& slot = *std::min_element(free_at_.begin(), free_at_.end());
    return slot = std::max(now, slot) + Duration(delay_ms.load());
  }
  void answer(RawSocket& connection) {
    const bool fails = random_() % 100 < failing_percent;
    connection.send(fails ? "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
                          : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }

  std::mt19937 random_{1};
  std::multimap<Time, RawSocket*> waiting_;  // by when they are done
  std::vector<Time> free_at_;                // of each slot
  Endpoint address_;
  std::atomic<bool> is_ready_ = false, is_over_ = false;
  std::thread thread_;  // the last: what it uses is there before it
};

}  // namespace gatehouse::test
