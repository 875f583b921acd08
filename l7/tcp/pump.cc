// How a relay's bytes move. After every event both directions go as far as they can; readiness is the wires'
// memory, so a direction that cannot move costs no system call.
#include "l7/tcp/relay.h"
#include "l7/worker_context.h"

namespace gatehouse::l7::tcp {
namespace {

constexpr int kRoundsPerTurn = 16;  // then the worker's other connections have their turn
constexpr std::uint64_t kBytesPerTurn = 1024 * 1024;
constexpr std::uint8_t kBulk = 4;             // reads in a row that left something in the socket
constexpr std::size_t kShortMove = 8 * 1024;  // through a pipe: a copy is as cheap
constexpr std::string_view kClientReset = "the client reset the connection";
constexpr std::string_view kBackendReset = "the backend reset the connection";

}  // namespace

bool Relay::relay() {
  bool has_moved = false;
  const std::uint64_t most = to_backend_.bytes + to_client_.bytes + kBytesPerTurn;
  for (int round = 0; round < kRoundsPerTurn && to_backend_.bytes + to_client_.bytes < most; ++round) {
    bool is_moving = pump(to_backend_, client_, *backend_);
    is_moving |= pump(to_client_, *backend_, client_);
    if (!is_moving) {
      if (has_moved) deadline_.set(idle_timeout_);
      return settle();
    }
    has_moved = true;
  }
  deadline_.set(idle_timeout_);
  context_.relays.resume_later(*this);
  return false;
}

// Ends when both directions have, or when one was cut and what came before the cut has been passed on.
bool Relay::settle() {
  // Of a side that has been read to its end and is not written to at the moment, only the event tells that it
  // is gone.
  const bool is_client_lost = client_.is_hung_up() && to_backend_.is_done;
  const bool is_backend_lost = backend_->is_hung_up() && to_client_.is_done;
  if ((to_backend_.is_done || is_backend_lost) && (to_client_.is_done || is_client_lost)) {
    const bool is_clean =
        to_backend_.is_done && to_client_.is_done && !client_.has_failed() && !backend_->has_failed();
    finish(to_backend_);
    finish(to_client_);
    return end(is_clean ? "" : is_client_lost || client_.has_failed() ? kClientReset : kBackendReset);
  }
  if (client_.is_cut() && !is_pending(to_backend_, *backend_)) return end(kClientReset);
  if (backend_->is_cut() && !is_pending(to_client_, client_)) return end(kBackendReset);
  return false;
}

bool Relay::is_pending(const Way& way, Wire& to) { return way.pipe.filled > 0 || !to.output().is_empty(); }

bool Relay::pump(Way& way, Wire& from, Wire& to) {
  if (way.is_done) return false;
  if (way.bulk == kBulk && is_clear_ && !way.pipe.is_open() && to.output().is_empty())
    way.pipe = context_.pipes.take();
  const bool has_moved = way.pipe.is_open() ? pump_pipe(way, from, to) : pump_buffer(way, from, to);
  if (to.has_write_failed()) {
    to.output().release();
    finish(way);
  } else if (from.is_at_end() && !from.is_cut() && !is_pending(way, to)) {
    to.close_output();
    finish(way);
  }
  return has_moved;
}

bool Relay::pump_buffer(Way& way, Wire& from, Wire& to) {
  Buffer& buffer = to.output();
  const std::size_t before = buffer.size();
  const bool has_read = from.fill(buffer);
  if (has_read) {
    way.bytes += buffer.size() - before;
    way.bulk = !from.is_readable() ? 0 : way.bulk < kBulk ? way.bulk + 1 : kBulk;
    buffer.prefer_large(way.bulk == kBulk);
  }
  return to.flush() || has_read;
}

// The pipe is emptied before it is filled again: then it is the socket alone that can block a read.
bool Relay::pump_pipe(Way& way, Wire& from, Wire& to) {
  std::size_t moved = 0;
  if (way.pipe.filled == 0) {
    moved = from.splice_to(way.pipe.in.get(), PipePool::kPipeBytes);
    way.pipe.filled = moved;
    way.bytes += moved;
    if (moved > 0 && moved < kShortMove) way.bulk = 0;
  }
  if (way.pipe.filled > 0) {
    const std::size_t written = to.splice_from(way.pipe.out.get(), way.pipe.filled);
    way.pipe.filled -= written;
    moved += written;
  }
  if (way.pipe.filled == 0 && (way.bulk == 0 || !from.is_readable())) give_back(way.pipe);
  return moved > 0;
}

void Relay::finish(Way& way) {
  way.is_done = true;
  give_back(way.pipe);
}

void Relay::give_back(Pipe& pipe) {
  if (pipe.is_open()) context_.pipes.give(std::exchange(pipe, {}));
}

}  // namespace gatehouse::l7::tcp
