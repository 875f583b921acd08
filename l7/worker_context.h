// What everything in a worker shares: one per process, made by Worker, handed down by reference. There are no globals.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "l7/access_log.h"
#include "l7/admission.h"
#include "l7/backend/backend.h"
#include "l7/backend/pool_queue.h"
#include "l7/backend/upkeep.h"
#include "l7/board.h"
#include "l7/cookie_seal.h"
#include "l7/cpu_pressure.h"
#include "l7/buffer.h"
#include "l7/handshake_queue.h"
#include "l7/http/message.h"
#include "l7/object_pool.h"
#include "l7/refusal_log.h"
#include "l7/request_id.h"
#include "l7/roster.h"
#include "l7/route_plan.h"
#include "l7/tcp/pipes.h"
#include "l7/tls/context.h"
#include "l7/tls/crypto_memory.h"
#include "l7/wall_clock.h"

namespace gatehouse::l7 {

class BackendConnection;
class ClientConnection;
class Exchange;
class H2BackendStream;
class H2ClientStream;
class H2Session;
class Intake;
class Mirror;
class Runtime;
namespace tcp {
class Relay;
}

struct WorkerContext {
  WorkerContext(EventLoop& event_loop, Board& shared_board, std::uint32_t worker_index, std::string node_name);
  ~WorkerContext();

  // Destroys at the end of the turn: how an object ends from inside its own callback.
  void retire(std::unique_ptr<BackendConnection> connection);
  void adopt(std::unique_ptr<ClientConnection> connection);
  void retire(ClientConnection& connection);
  // Calls connection.advance() in the next turn: for one that could go on for long and lets others have their turn.
  void resume_later(ClientConnection& connection);
  // Calls session.on_turn_end() when this turn ends.
  void flush_later(H2Session& session);
  void forget(H2Session& session);

  EventLoop& loop;
  Board& board;
  std::uint32_t index;
  std::string node;
  std::string via;     // "1.1 n1"
  std::string via_h2;  // "2.0 n1"
  BufferPool buffers;
  WallClock clock;
  RequestIds request_ids;
  AccessLog access_log;
  TlsResources tls;
  CookieSeal cookies;
  HandshakeQueue handshakes;
  BackendSet backends;
  PoolQueues queues;
  std::shared_ptr<const Runtime> runtime;
  Upkeep upkeep{*this};
  bool is_draining = false;
  bool keeps_idle = false;  // while it drains: see Worker::leave_gently
  // Of nghttp2; nullptr: a sanitizer wants to see every object.
  SlabHeap* h2_memory();
  ObjectPool<Exchange> exchanges;  // at rest, as the next
  ObjectPool<H2ClientStream> h2_client_streams;
  ObjectPool<H2BackendStream> h2_backend_streams;
  Admission admission;
  CpuShedding cpu_shedding;
  RefusalLog refusals;
  tcp::PipePool pipes;
  Roster<Intake> intakes;      // connections that are not known well enough to be served
  Roster<tcp::Relay> relays;
  Roster<Mirror> mirrors;
  std::vector<std::unique_ptr<ClientConnection>> clients;
  // Where heads are parsed to: one at a time, used up before anything else is read.
  http::Request request;
  http::Response response;
  http::Fields trailers;
  RouteScratch route_scratch;

 private:
  void defer_clearing();
  void defer_resuming();
  void run_resumed();
  void run_flushes();
  std::vector<std::unique_ptr<BackendConnection>> retired_backends_;
  std::vector<std::unique_ptr<ClientConnection>> retired_clients_;
  std::vector<ClientConnection*> resumed_;
  std::vector<H2Session*> flushes_;
  std::vector<H2Session*> running_flushes_;
  bool is_resuming_due_ = false;
  SlabHeap h2_memory_;
};

}  // namespace gatehouse::l7
