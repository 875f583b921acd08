#include "l7/board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <new>

namespace gatehouse::l7 {

struct Board::Layout {
  static constexpr std::uint64_t kMagic = 0x4748'626f'6172'640a;  // last byte: version
  std::uint64_t magic;
  std::uint64_t size;
  alignas(64) std::atomic<std::uint64_t> version;
  std::atomic<std::uint32_t> workers_seen;
  std::array<WorkerCell, kMaxWorkers> workers;
  std::array<BackendCell, kMaxBackends> backends;
  std::array<PoolCell, kMaxPools> pools;
  std::array<ArmCell, kMaxArms> arms;
  // Apart from the cells, which are large: all keys are looked through.
  struct LatencyKey {
    std::atomic<std::uint64_t> key;
  };
  std::array<LatencyKey, kMaxLatencies> latency_keys;
  std::array<LatencyCell, kMaxLatencies> latencies;
};

std::uint64_t backend_key(std::string_view pool, const Endpoint& backend) {
  std::uint64_t key = 14695981039346656037ull;  // FNV-1a
  const auto add = [&key](std::uint8_t byte) { key = (key ^ byte) * 1099511628211ull; };
  for (const char c : pool) add(static_cast<std::uint8_t>(c));
  add(0);
  for (const std::uint8_t byte : backend.address.bytes) add(byte);
  add(static_cast<std::uint8_t>(backend.port >> 8));
  add(static_cast<std::uint8_t>(backend.port));
  return key ? key : 1;
}

std::uint64_t pool_key(std::string_view pool) { return backend_key(pool, {}); }
std::uint64_t latency_key(LatencyKind kind, std::string_view name) {
  return backend_key(name, {.address = {}, .port = static_cast<std::uint16_t>(kind)});
}

namespace {

// The cell of `key`, taken when it is new; nullptr: there is none left.
template <typename Cells>
auto* find_or_take(Cells& cells, std::uint64_t key, bool& is_new) {
  is_new = false;
  for (auto& cell : cells) {
    if (cell.key.load(std::memory_order_acquire) == key) return &cell;
  }
  for (auto& cell : cells) {
    std::uint64_t free = 0;
    is_new = cell.key.compare_exchange_strong(free, key);
    if (is_new || free == key) return &cell;  // the latter: another worker took it just now
  }
  return static_cast<decltype(cells.data())>(nullptr);
}

void clear(WorkerPlaces& places) {
  for (auto& place : places) place.store(0, std::memory_order_relaxed);
}

void clear(AdaptiveCell& cell) {
  for (auto* number : {&cell.limit, &cell.limit_before, &cell.shortest_us, &cell.wait_us, &cell.in_flight}) number->store(0, std::memory_order_relaxed);
  for (auto* time : {&cell.seen_ms, &cell.stepped_ms}) time->store(0, std::memory_order_relaxed);
  cell.window.waits.store(0, std::memory_order_relaxed);
  for (auto& count : cell.waits) count.store(0, std::memory_order_relaxed);
  clear(cell.asking);
}

template <typename Cells, typename Clear>
void free_others(Cells& cells, const std::vector<std::uint64_t>& keys, Clear clear_cell) {
  for (auto& cell : cells) {
    const std::uint64_t key = cell.key.load(std::memory_order_relaxed);
    if (key == 0 || std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    clear_cell(cell);
    cell.key.store(0, std::memory_order_release);
  }
}

// `take` has a cell for each key, or all those of other keys are cleared and free before it is asked again.
template <typename Cells, typename Take, typename Clear>
void make_room(Cells& cells, const std::vector<std::uint64_t>& keys, Take take, Clear clear_cell) {
  if (std::all_of(keys.begin(), keys.end(), take)) return;
  free_others(cells, keys, clear_cell);
  std::for_each(keys.begin(), keys.end(), take);
}

}  // namespace

Result<std::unique_ptr<Board>> Board::open(const std::string& file) {
  // A file of another layout is replaced, not rewritten: workers of another version may still have it mapped.
  struct stat before{};
  if (stat(file.c_str(), &before) == 0 && static_cast<std::size_t>(before.st_size) != sizeof(Layout)) unlink(file.c_str());
  const Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.is_open()) return system_error("cannot open the board " + file);
  struct stat info{};
  if (fstat(fd.get(), &info) != 0 || ftruncate(fd.get(), sizeof(Layout)) != 0) return system_error("cannot size " + file);
  void* memory = mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return system_error("cannot map " + file);
  auto* layout = static_cast<Layout*>(memory);
  const bool fits = static_cast<std::size_t>(info.st_size) == sizeof(Layout) && layout->magic == Layout::kMagic &&
                    layout->size == sizeof(Layout);
  if (!fits) {
    layout = new (memory) Layout{};
    layout->size = sizeof(Layout);
    layout->magic = Layout::kMagic;
  }
  return std::unique_ptr<Board>(new Board(layout));
}

std::unique_ptr<Board> Board::anonymous() {
  void* memory = mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  GH_CHECK(memory != MAP_FAILED);
  return std::unique_ptr<Board>(new Board(new (memory) Layout{}));
}

Board::~Board() { munmap(layout_, sizeof(Layout)); }

WorkerCell& Board::worker(std::uint32_t index) {
  GH_CHECK(index < kMaxWorkers);
  return layout_->workers[index];
}

BackendCell* Board::backend(std::uint64_t key) {
  bool is_new = false;
  BackendCell* cell = find_or_take(layout_->backends, key, is_new);
  if (is_new) cell->is_healthy.store(1, std::memory_order_relaxed);
  return cell;
}

PoolCell* Board::pool(std::uint64_t key) {
  bool is_new = false;
  return find_or_take(layout_->pools, key, is_new);
}

ArmCell* Board::arm(std::uint64_t key) {
  bool is_new = false;
  return find_or_take(layout_->arms, key, is_new);
}

std::span<BackendCell> Board::backends() { return layout_->backends; }
LatencyCell* Board::latency(LatencyKind kind, std::string_view name) {
  bool is_new = false;
  const auto* key = find_or_take(layout_->latency_keys, latency_key(kind, name), is_new);
  return key ? &layout_->latencies[static_cast<std::size_t>(key - layout_->latency_keys.data())] : nullptr;
}

std::span<ArmCell> Board::arms() { return layout_->arms; }

std::uint64_t Board::version() const { return layout_->version.load(std::memory_order_acquire); }
void Board::bump_version() { layout_->version.fetch_add(1, std::memory_order_release); }

std::uint32_t Board::workers_seen() const { return layout_->workers_seen.load(std::memory_order_relaxed); }
void Board::take_place(std::uint32_t index) {
  GH_CHECK(index < kMaxWorkers);
  std::uint32_t seen = workers_seen();
  while (seen <= index && !layout_->workers_seen.compare_exchange_weak(seen, index + 1)) {
  }
}

void Board::clear_worker(std::uint32_t index) {
  WorkerCell& cell = worker(index);
  for (auto* count : {&cell.config_digest, &cell.connections, &cell.accepted, &cell.requests, &cell.responses_5xx}) {
    count->store(0, std::memory_order_relaxed);
  }
  for (const WorkerCount& count : kWorkerCounts) (cell.*count.place).store(0, std::memory_order_relaxed);
  for (auto& count : cell.h2_offences) count.store(0, std::memory_order_relaxed);
  for (auto& count : cell.connection_ends) count.store(0, std::memory_order_relaxed);
  cell.handshakes.clear();
  cell.pid.store(0, std::memory_order_relaxed);
  for (BackendCell& backend : layout_->backends) {
    for (WorkerPlaces* places : {&backend.in_flight, &backend.connections}) (*places)[index].store(0);
  }
  for (PoolCell& pool : layout_->pools) {
    for (WorkerPlaces* places : {&pool.requests, &pool.pending, &pool.queued, &pool.foremost, &pool.adaptive.asking}) (*places)[index].store(0);
  }
}

void Board::make_room_for_backends(const std::vector<std::uint64_t>& keys) {
  const auto take = [this](std::uint64_t key) { return backend(key) != nullptr; };
  // Who still writes to a cell must not meet another owner there.
  std::vector<std::uint64_t> kept = keys;
  for (const BackendCell& cell : layout_->backends) {
    if (sum_of(cell.in_flight) + sum_of(cell.connections) > 0) kept.push_back(cell.key.load(std::memory_order_relaxed));
  }
  make_room(layout_->backends, kept, take, [](BackendCell& cell) {
    for (auto* count : {&cell.requests, &cell.failures, &cell.window.answers, &cell.window.waits}) count->store(0, std::memory_order_relaxed);
    for (auto& count : cell.ejections) count.store(0, std::memory_order_relaxed);
    for (auto* count : {&cell.failures_in_a_row, &cell.ejections_in_a_row}) count->store(0, std::memory_order_relaxed);
    for (auto* time : {&cell.ejected_until_ms, &cell.recovered_ms}) time->store(0, std::memory_order_relaxed);
    cell.state.store(BackendState::kEnabled, std::memory_order_relaxed);
    cell.standing.store(Standing::kIn, std::memory_order_relaxed);
    cell.adjusted.store(0, std::memory_order_relaxed);
    cell.peak_ewma.store(0, std::memory_order_relaxed);
    clear(cell.in_flight);
    clear(cell.connections);
  });
}

void Board::make_room_for_pools(const std::vector<std::uint64_t>& keys) {
  const auto take = [this](std::uint64_t key) { return pool(key) != nullptr; };
  make_room(layout_->pools, keys, take, [](PoolCell& cell) {
    for (auto* number : {&cell.credit, &cell.refilled_ms, &cell.judged_ms}) number->store(0, std::memory_order_relaxed);
    cell.is_in_panic.store(0, std::memory_order_relaxed);
    clear(cell.requests);
    clear(cell.adaptive);
    for (WorkerPlaces* places : {&cell.pending, &cell.queued, &cell.foremost}) clear(*places);
  });
}

void Board::make_room_for_latencies(const std::vector<std::uint64_t>& keys) {
  bool is_new = false;
  const auto take = [&](std::uint64_t key) { return find_or_take(layout_->latency_keys, key, is_new) != nullptr; };
  make_room(layout_->latency_keys, keys, take, [this](Layout::LatencyKey& key) {
    LatencyCell& cell = layout_->latencies[static_cast<std::size_t>(&key - layout_->latency_keys.data())];
    for (auto& count : cell.counts) count.store(0, std::memory_order_relaxed);
    for (auto* count : {&cell.sum_us, &cell.responses_4xx, &cell.responses_5xx}) count->store(0, std::memory_order_relaxed);
  });
}

void Board::make_room_for_arms(const std::vector<std::uint64_t>& keys) {
  const auto take = [this](std::uint64_t key) { return arm(key) != nullptr; };
  make_room(layout_->arms, keys, take, [](ArmCell& cell) {
    for (auto* number : {&cell.adjusted, &cell.requests}) number->store(0, std::memory_order_relaxed);
  });
}

}  // namespace gatehouse::l7
