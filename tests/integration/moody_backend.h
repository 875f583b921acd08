// A backend on a thread of its own whose manner a test changes while requests come: it answers, hangs,
// answers 500 now and then, or takes its time; and it knows how many requests it ever had at once.
#pragma once

#include <atomic>
#include <deque>
#include <random>
#include <thread>

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
  std::atomic<int> most_at_once = 0;
  std::atomic<int> requests = 0;

 private:
  struct Waiting {
    EventLoop::Clock::time_point due;
    RawSocket* connection;
  };

  void serve() {
    EventLoop loop;
    RawServer server(loop, [this, &loop](RawSocket& connection) { take(connection, loop.now()); });
    address_ = server.address();
    is_ready_ = true;
    is_ready_.notify_one();
    while (!is_over_) {
      loop.turn(Duration(waiting_.empty() ? 20 : 1));
      for (; !waiting_.empty() && waiting_.front().due <= loop.now(); waiting_.pop_front())
        answer(*waiting_.front().connection);
    }
  }
  void take(RawSocket& connection, EventLoop::Clock::time_point now) {
    std::string& bytes = connection.received();
    for (std::size_t end; (end = bytes.find("\r\n\r\n")) != std::string::npos;) {
      bytes.erase(0, end + 4);
      ++requests;
      if (hangs) continue;
      waiting_.push_back({now + Duration(delay_ms.load()), &connection});
      most_at_once = std::max(most_at_once.load(), static_cast<int>(waiting_.size()));
    }
  }
  void answer(RawSocket& connection) {
    const bool fails = random_() % 100 < failing_percent;
    connection.send(fails ? "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
                          : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }

  std::mt19937 random_{1};
  std::deque<Waiting> waiting_;
  Endpoint address_;
  std::atomic<bool> is_ready_ = false, is_over_ = false;
  std::thread thread_;  // the last: what it uses is there before it
};

}  // namespace gatehouse::test
