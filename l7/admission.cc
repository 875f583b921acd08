#include "l7/admission.h"

#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "l7/listener.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kFirstSlots = 64;
constexpr Duration kRetry{100};
constexpr std::uint32_t kOwnDescriptors = 256;  // listening sockets, log, control, the pipes of relays

std::uint64_t mix(std::uint64_t left, std::uint64_t right) {
  const auto product = static_cast<unsigned __int128>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t half(const IpAddress& address, std::size_t first) {
  std::uint64_t value = 0;
  for (std::size_t i = first; i < first + 8; ++i) value = value << 8 | address.bytes[i];
  return value;
}

// A client has a /64 of IPv6 to take addresses from.
IpAddress client_of(IpAddress address) {
  if (!address.is_v4()) std::fill(address.bytes.begin() + 8, address.bytes.end(), std::uint8_t{0});
  return address;
}

}  // namespace

ClientTable::ClientTable() : slots_(kFirstSlots) {
  GH_CHECK(getrandom(secret_, sizeof secret_, 0) == sizeof secret_);
}

std::size_t ClientTable::home(std::uint32_t listener, const IpAddress& client) const {
  const std::uint64_t low = mix(half(client, 8) ^ secret_[0], 0x9e3779b97f4a7c15ull + listener);
  return mix(half(client, 0) ^ secret_[1], low | 1) & (slots_.size() - 1);
}

std::size_t ClientTable::find(std::uint32_t listener, const IpAddress& client) const {
  std::size_t place = home(listener, client);
  while (slots_[place].count > 0 && (slots_[place].listener != listener || slots_[place].client != client)) {
    place = (place + 1) & (slots_.size() - 1);
  }
  return place;
}

std::uint32_t ClientTable::add(std::uint32_t listener, const IpAddress& client) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  Slot& slot = slots_[find(listener, client)];
  if (slot.count++ > 0) return slot.count;
  ++used_;
  slot.client = client;
  slot.listener = listener;
  return 1;
}

// What follows in the same run of slots moves up, so that no search ends too early and no marks are left.
void ClientTable::remove(std::uint32_t listener, const IpAddress& client) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = find(listener, client);
  GH_CHECK(slots_[hole].count > 0);
  if (--slots_[hole].count > 0) return;
  --used_;
  for (std::size_t next = (hole + 1) & mask; slots_[next].count > 0; next = (next + 1) & mask) {
    const std::size_t wanted = home(slots_[next].listener, slots_[next].client);
    if (((next - wanted) & mask) < ((next - hole) & mask)) continue;  // it would move before its home
    slots_[hole] = slots_[next];
    slots_[next].count = 0;
    hole = next;
  }
}

void ClientTable::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.count > 0) slots_[find(slot.listener, slot.client)] = slot;
  }
}

Seat::Seat(ListenerCount& listener) : listener_(&listener) {
  ++listener.admission.open_;
  ++listener.open;
}

Seat::Seat(Seat&& other) noexcept
    : listener_(std::exchange(other.listener_, nullptr)),
      client_(other.client_),
      counts_client_(std::exchange(other.counts_client_, false)) {}

Seat::~Seat() {
  if (!listener_) return;
  Admission& admission = listener_->admission;
  if (counts_client_) admission.clients_.remove(listener_->id, client_);
  admission.leave(*listener_);
}

bool Seat::take_client(const IpAddress& address, std::uint32_t most) {
  GH_CHECK(listener_ && !counts_client_);
  Admission& admission = listener_->admission;
  client_ = client_of(address);
  counts_client_ = true;
  const std::uint32_t count = admission.clients_.add(listener_->id, client_);
  if (most == 0 || count <= most) return true;
  admission.cell_.refused_clients.fetch_add(1, std::memory_order_relaxed);
  return false;
}

Admission::Admission(EventLoop& loop, const BufferPool& buffers, WorkerCell& cell)
    : loop_(loop), buffers_(buffers), cell_(cell) {
  rlimit limit{};
  GH_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  descriptors_ = static_cast<std::uint32_t>(std::min<rlim_t>(limit.rlim_cur, 1u << 30));
}

ListenerCount& Admission::count_of(std::string_view listener) {
  const auto found = listeners_.find(listener);
  if (found != listeners_.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(listeners_.size());
  return listeners_.emplace(listener, ListenerCount{*this, id, 0}).first->second;
}

bool Admission::has_room(const ListenerCount& listener, std::uint32_t most) const {
  return (most == 0 || listener.open < most) && !is_short();
}

// Each client may come to need a backend's connection: half of the descriptors is theirs, less what the
// process itself has.
bool Admission::is_short() const {
  const std::uint32_t own = std::min(kOwnDescriptors, descriptors_ / 4);
  return 2 * (open_ + 1) + own > descriptors_ || in_use_ + own > descriptors_ ||
         buffers_.lent_bytes() > most_buffered_;
}

void Admission::wait(Listener& listener) {
  waiting_.push_back(&listener);
  cell_.accept_pauses.fetch_add(1, std::memory_order_relaxed);
  count_waiting();
  if (is_short()) retry_.arm<&Admission::wake_all>(loop_, kRetry, this);
}

void Admission::forget(Listener& listener) {
  std::erase(waiting_, &listener);
  count_waiting();
}

void Admission::count_waiting() { cell_.paused_listeners.store(waiting_.size(), std::memory_order_relaxed); }

void Admission::leave(ListenerCount& listener) {
  --open_;
  --listener.open;
  if (!waiting_.empty()) wake_later();
}

void Admission::wake_later() {
  if (std::exchange(is_wake_due_, true)) return;
  loop_.defer([this] {
    is_wake_due_ = false;
    wake_all();
  });
}

void Admission::wake_all() {
  for (Listener* listener : std::exchange(waiting_, {})) listener->resume();
  count_waiting();
}

}  // namespace gatehouse::l7
