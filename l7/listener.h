// A listening socket of a worker: accepts while there is room (admission.h), makes the stream that its
// listener asks for, hands the connection over. What is not accepted waits in the kernel's queue.
#pragma once

#include <string>

#include "common/event_loop.h"
#include "common/fd.h"
#include "l7/arrival.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {

struct WorkerContext;

// Makes of an accepted socket what the listener's mode says. `pool`: of relays.
void open_connection(WorkerContext& context, const Runtime::Listener& listener, Fd socket, Arrival arrival,
                     Pool* pool);

class Listener {
 public:
  Listener(WorkerContext& context, std::string name, std::string key, Fd socket);
  ~Listener();

  const std::string& name() const { return name_; }
  const std::string& key() const { return key_; }
  int fd() const { return socket_.get(); }
  // Accepts what is waiting in the queue: before a close, which would reset it.
  void accept_all();
  // There may be room again.
  void resume();

 private:
  void on_ready(std::uint32_t events);
  void on_resume();
  void accept_up_to(int most);
  bool accept_one(const Runtime::Listener* listener);
  void take(const Runtime::Listener& listener, Fd socket, const Endpoint& peer);
  bool has_room(const Runtime::Listener* listener) const;
  void wait_for_room();
  void pause();

  WorkerContext& context_;
  std::string name_;
  std::string key_;
  ListenerCount& count_;
  Fd socket_;
  Watch watch_;
  Timer resume_;
  bool is_waiting_ = false;  // for room
};

}  // namespace gatehouse::l7
