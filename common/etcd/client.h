// A client of etcd by the JSON gateway of its API v3, for the few things that a site keeps there: values that
// change by compare-and-swap, leases, and to be told of a change. Never blocks; lives on one event loop.
//
// Every request goes to one member, and to the others when that does not answer, has no leader or is being
// restarted; an Error says what the last one said. A swap whose answer was lost is asked for again and counts
// when the value is ours.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse::etcd {

using Json = nlohmann::json;

struct Options {
  std::vector<std::string> endpoints;  // "https://192.0.2.5:2379", any member first
  std::string ca;                      // files in PEM; empty: none
  std::string certificate;
  std::string key;
  std::string user;  // empty: no authentication
  std::string password;
  Duration timeout{3'000};  // of one member
};

struct Entry {
  std::string value;
  std::int64_t revision = 0;  // of its last change; 0: there is none

  bool exists() const { return revision != 0; }
};

class Transfers;

class Client {
 public:
  Client(EventLoop& loop, Options options);
  Client(const Client&) = delete;
  ~Client();  // nobody hears an answer any more

  void get(const std::string& key, std::function<void(Result<Entry>)> done);
  // Sets `key` when its last change was at `revision` (0: it must not exist). False: somebody else was first.
  // With a lease (0: none) the key ends with it.
  void swap(const std::string& key, std::int64_t revision, const std::string& value, std::int64_t lease,
            std::function<void(Result<bool>)> done);
  void grant(std::int64_t seconds, std::function<void(Result<std::int64_t>)> done);
  // An Error also when there is no such lease any more.
  void keep_alive(std::int64_t lease, std::function<void(Status)> done);

 private:
  friend class Follower;
  using Answer = std::function<void(Result<Json>)>;
  void call(const std::string& path, Json body, Answer done);
  void try_member(const std::string& path, std::shared_ptr<const std::string> body, std::size_t tries,
                  bool may_log_in, Answer done);
  void log_in(std::function<void(Status)> done);
  void use_next_member() { ++member_; }
  const std::string& member() const { return options_.endpoints[member_ % options_.endpoints.size()]; }

  EventLoop& loop_;
  Options options_;
  std::unique_ptr<Transfers> transfers_;
  std::string token_;
  std::size_t member_ = 0;
};

// Says what a key is, at first and after every change, and when it cannot tell. After a loss it asks anew:
// changes in between may be seen as one.
class Follower {
 public:
  Follower(Client& client, EventLoop& loop, std::string key,
           std::function<void(const Result<Entry>&)> on_change);
  Follower(const Follower&) = delete;
  ~Follower();

 private:
  void ask();
  void watch(std::int64_t revision);
  void on_line(const std::string& line);
  void again(const Error& error);

  Client& client_;
  EventLoop& loop_;
  std::string key_;
  std::function<void(const Result<Entry>&)> on_change_;
  Timer again_;
  std::uint64_t stream_ = 0;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gatehouse::etcd
