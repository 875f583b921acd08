#include "l7/worker.h"

#include <algorithm>

#include "l7/backend/h2_connection.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/http/h2_client.h"
#include "l7/intake.h"
#include "l7/listener.h"
#include "l7/mirror.h"
#include "l7/tcp/relay.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

WorkerContext::WorkerContext(EventLoop& event_loop, Board& shared_board, std::uint32_t worker_index, std::string node_name)
    : loop(event_loop), board(shared_board), index(worker_index), node(std::move(node_name)),
      via("1.1 " + (node.empty() ? std::string("gatehouse") : node)), via_h2("2.0" + via.substr(3)), access_log(event_loop, request_ids), handshakes(event_loop), backends(*this), queues(*this),
      admission(event_loop, buffers, shared_board.worker(worker_index)), cpu_shedding(event_loop), refusals(event_loop), intakes(event_loop), relays(event_loop), mirrors(event_loop) {
  board.take_place(index);
}

// Connections use the rest of the context: they go first.
WorkerContext::~WorkerContext() {
  intakes.clear();
  relays.clear();
  mirrors.clear();
  clients.clear();
  retired_clients_.clear();
  runtime.reset();
  backends.clear();
  retired_backends_.clear();
}

void WorkerContext::adopt(std::unique_ptr<ClientConnection> connection) {
  ClientConnection& adopted = *connection;
  adopted.place = clients.size();
  clients.push_back(std::move(connection));
  adopted.advance();
}

void WorkerContext::retire(ClientConnection& connection) {
  defer_clearing();
  std::erase(resumed_, &connection);
  handshakes.forget(connection);
  const std::size_t place = connection.place;
  retired_clients_.push_back(std::move(clients[place]));
  if (place + 1 < clients.size()) {
    clients[place] = std::move(clients.back());
    clients[place]->place = place;
  }
  clients.pop_back();
}

void WorkerContext::retire(std::unique_ptr<BackendConnection> connection) {
  defer_clearing();
  retired_backends_.push_back(std::move(connection));
}

void WorkerContext::defer_clearing() {
  if (!retired_clients_.empty() || !retired_backends_.empty()) return;
  loop.defer([this] {
    // Ending a client connection may retire a backend's.
    std::exchange(retired_clients_, {}).clear();
    retired_backends_.clear();
  });
}

void WorkerContext::resume_later(ClientConnection& connection) {
  if (connection.is_resumed) return;
  connection.is_resumed = true;
  resumed_.push_back(&connection);
  defer_resuming();
}

void WorkerContext::defer_resuming() {
  if (!std::exchange(is_resuming_due_, true)) loop.defer([this] { run_resumed(); });
}

void WorkerContext::run_resumed() {
  is_resuming_due_ = false;
  for (std::size_t count = resumed_.size(); count > 0 && !resumed_.empty(); --count) {
    ClientConnection* connection = resumed_.front();
    resumed_.erase(resumed_.begin());
    connection->is_resumed = false;
    connection->advance();
  }
  if (!resumed_.empty()) defer_resuming();
}

SlabHeap* WorkerContext::h2_memory() {
#ifdef __SANITIZE_ADDRESS__
  return nullptr;
#else
  return &h2_memory_;
#endif
}

void WorkerContext::flush_later(H2Session& session) {
  if (std::exchange(session.is_flush_due, true)) return;
  if (flushes_.empty()) loop.defer([this] { run_flushes(); });
  flushes_.push_back(&session);
}

void WorkerContext::run_flushes() {
  std::swap(flushes_, running_flushes_);
  for (std::size_t i = 0; i < running_flushes_.size(); ++i) {
    H2Session* session = running_flushes_[i];
    if (!session) continue;  // forgotten
    session->is_flush_due = false;
    session->on_turn_end();
  }
  running_flushes_.clear();
}

void WorkerContext::forget(H2Session& session) {
  std::erase(flushes_, &session);
  std::replace(running_flushes_.begin(), running_flushes_.end(), &session, static_cast<H2Session*>(nullptr));
}

class Worker::Impl {
 public:
  Impl(EventLoop& loop, Board& board, WorkerIdentity identity) : context(loop, board, identity.index, std::move(identity.node)) {}

  void leave(Duration timeout, bool is_gentle, Duration handshakes, std::function<void()> on_drained) {
    on_drained_ = std::move(on_drained);
    context.is_draining = true;
    context.keeps_idle = is_gentle;
    handshakes_.cancel();
    if (handshakes.count() > 0) {
      handshakes_.arm<&Impl::close_listeners>(context.loop, std::min(handshakes, timeout), this);
    } else {
      close_listeners();
    }
    end_.arm<&Impl::on_timeout>(context.loop, timeout, this);
    check();
  }

  WorkerContext context;
  std::vector<std::unique_ptr<Listener>> listeners;

 private:
  static constexpr Duration kCheck{20};
  static constexpr Duration kGentleCheck{100};  // the idle ones are many, and nothing comes of looking

  // Probes are answered to the end: a node that seems dead is asked by nobody for the connections that it still has.
  void close_listeners() {
    for (const auto& listener : listeners) listener->accept_all();
    std::erase_if(listeners, [](const auto& listener) { return listener->name() != kProbeListener; });
  }

  void check() {
    // drain() of one may end it, which moves another into its place.
    for (std::size_t i = context.clients.size(); i > 0; --i) {
      if (i <= context.clients.size()) context.clients[i - 1]->drain();
    }
    const bool has_others = !context.intakes.is_empty() || !context.relays.is_empty();
    const bool is_done = !has_others && !handshakes_.is_armed() && std::all_of(context.clients.begin(), context.clients.end(),
                                     [](const auto& client) { return client->listener().is_probe; });
    if (is_done) return on_timeout();
    check_.arm<&Impl::check>(context.loop, context.keeps_idle ? kGentleCheck : kCheck, this);
  }
  void on_timeout() {
    check_.cancel();
    end_.cancel();
    handshakes_.cancel();
    if (on_drained_) std::exchange(on_drained_, nullptr)();
  }

  Timer check_;
  Timer end_;
  Timer handshakes_;
  std::function<void()> on_drained_;
};

Worker::Worker(EventLoop& loop, Board& board, WorkerIdentity identity)
    : impl_(std::make_unique<Impl>(loop, board, std::move(identity))) {}
Worker::~Worker() = default;

Result<std::uint64_t> Worker::set_config(config::Config config, const TlsFiles& files) {
  impl_->context.upkeep.run();  // what the pools of before have not seen those of now will not see either
  auto runtime = Runtime::build(std::move(config), files, impl_->context);
  if (!runtime) return runtime.error();
  impl_->context.runtime = std::move(*runtime);
  impl_->context.upkeep.begin();
  impl_->context.handshakes.set_limit(impl_->context.runtime->config().tls.handshakes_per_turn);
  impl_->context.backends.sweep();
  impl_->context.queues.sweep();
  impl_->context.cpu_shedding.set(impl_->context.runtime->config().workers.shed_above_cpu);
  impl_->context.access_log.set_sample(impl_->context.runtime->config().access_log.sample);
  Admission& admission = impl_->context.admission;
  admission.set_most_buffered(impl_->context.runtime->config().workers.max_buffers.bytes);
  admission.wake_all();  // limits may have been raised
  return impl_->context.runtime->config().digest;
}

void Worker::set_backends(std::string_view name, std::span<const config::Backend> backends) {
  Pool* pool = impl_->context.runtime ? impl_->context.runtime->pool_named(name) : nullptr;
  if (!pool) return;  // of a config that was refused
  pool->set_members(backends);
  impl_->context.backends.sweep();
}

void Worker::set_listeners(std::vector<ListenerSocket> sockets) {
  auto& listeners = impl_->listeners;
  const auto is_wanted = [&sockets](const std::unique_ptr<Listener>& listener) {
    return std::any_of(sockets.begin(), sockets.end(), [&](const ListenerSocket& socket) { return socket.key == listener->key(); });
  };
  for (const auto& listener : listeners) {
    if (!is_wanted(listener)) listener->accept_all();
  }
  std::erase_if(listeners, [&](const auto& listener) { return !is_wanted(listener); });
  for (ListenerSocket& socket : sockets) {
    const bool is_known = std::any_of(listeners.begin(), listeners.end(), [&](const auto& known) { return known->key() == socket.key; });
    if (is_known) continue;
    listeners.push_back(std::make_unique<Listener>(impl_->context, socket.listener, socket.key, std::move(socket.socket)));
  }
}

void Worker::set_ticket_keys(const TicketWindow& keys) { impl_->context.tls.tickets.set(keys); }

void Worker::set_cookie_keys(const CookieKeys& keys) { impl_->context.cookies.set(keys); }

void Worker::set_access_log(Fd file) { impl_->context.access_log.set_file(std::move(file)); }

void Worker::drain(Duration timeout, std::function<void()> on_drained) {
  impl_->leave(timeout, false, Duration(0), std::move(on_drained));
}

void Worker::leave_gently(Duration timeout, Duration handshakes, std::function<void()> on_drained) {
  impl_->leave(timeout, true, handshakes, std::move(on_drained));
}

std::vector<Worker::Lent> Worker::sockets() const {
  std::vector<Lent> lent;
  for (const auto& listener : impl_->listeners) lent.push_back({listener->key(), listener->fd()});
  return lent;
}

}  // namespace gatehouse::l7
