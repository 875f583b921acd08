// A listening socket of a worker: accepts, makes the stream that its listener asks for, hands the connection over.
#pragma once

#include <string>

#include "common/event_loop.h"
#include "common/fd.h"

namespace gatehouse::l7 {

struct WorkerContext;

class Listener {
 public:
  Listener(WorkerContext& context, std::string name, std::string key, Fd socket);

  const std::string& name() const { return name_; }
  const std::string& key() const { return key_; }
  // Accepts what is waiting in the queue: before a close, which would reset it.
  void accept_all();

 private:
  void on_ready(std::uint32_t events);
  void on_resume();
  bool accept_one();
  void pause();

  WorkerContext& context_;
  std::string name_;
  std::string key_;
  Fd socket_;
  Watch watch_;
  Timer resume_;
};

}  // namespace gatehouse::l7
