// HTTP requests by libcurl on our event loop. Internal to common/etcd.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/etcd/client.h"
#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse::etcd {

struct HttpAnswer {
  long status = 0;
  std::string body;
};

class Transfers {
 public:
  Transfers(EventLoop& loop, const Options& options);
  Transfers(const Transfers&) = delete;
  ~Transfers();

  using Done = std::function<void(Result<HttpAnswer>)>;
  using Line = std::function<void(const std::string&)>;
  // With `on_line` the answer is a stream without an end: each line is given away as it comes. Both are
  // called from the event loop, never from inside post().
  std::uint64_t post(const std::string& url, const std::string& token,
                     std::shared_ptr<const std::string> body, Done done, Line on_line = nullptr);
  void stop(std::uint64_t id);  // nothing is called any more; harmless when it has ended

 private:
  struct Transfer {
    CURL* handle = nullptr;
    curl_slist* fields = nullptr;
    std::shared_ptr<const std::string> body;
    std::string input;
    char error[CURL_ERROR_SIZE] = "";
    Done done;
    Line on_line;
  };
  struct Socket {
    Transfers* owner;
    int fd;
    Watch watch;
  };
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);
  static std::size_t on_data(char* data, std::size_t size, std::size_t count, void* transfer);
  static void on_ready(void* socket, std::uint32_t events);
  void on_time();
  void act(int fd, int events);
  void give_lines();
  void finish_done();
  void remove(std::uint64_t id);

  EventLoop& loop_;
  const Options& options_;
  CURLM* multi_;
  Timer timer_;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
  std::uint64_t last_id_ = 0;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gatehouse::etcd
