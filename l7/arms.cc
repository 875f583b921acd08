// Shares are looked up among their ends, which are made anew when a weight on the board has changed.
#include "l7/arms.h"

#include <algorithm>

#include "common/scramble.h"

namespace gatehouse::l7 {
namespace {

constexpr std::uint64_t kIsSet = std::uint64_t{1} << 63;

}  // namespace

std::uint64_t arm_key(std::string_view route, std::string_view pool) {
  return (scramble(pool_key(route)) ^ pool_key(pool)) | 1;
}

std::uint64_t pack_adjusted(std::uint32_t weight, std::uint32_t base) {
  return kIsSet | std::uint64_t{base} << 32 | weight;
}

std::uint32_t weight_now(std::uint64_t adjusted, std::uint32_t base) {
  return pack_adjusted(static_cast<std::uint32_t>(adjusted), base) == adjusted
             ? static_cast<std::uint32_t>(adjusted)
             : base;
}

Arms::Arms(std::vector<Arm> arms, Board& board, std::uint64_t random)
    : board_(board), arms_(std::move(arms)), place_(random) {
  shares_.reserve(arms_.size());
  version_ = board_.version();
  compile();
}

void Arms::compile() {
  const auto weight_of = [](const Arm& arm) -> unsigned __int128 {
    return arm.cell ? weight_now(arm.cell->adjusted.load(std::memory_order_relaxed), arm.base) : arm.base;
  };
  unsigned __int128 sum = 0, below = 0;
  for (const Arm& arm : arms_) sum += weight_of(arm);
  shares_.clear();
  for (std::size_t i = 0; i < arms_.size(); ++i) {
    const auto weight = weight_of(arms_[i]);
    if (weight == 0) continue;
    below += weight;
    const unsigned __int128 end = (below << 64) / sum;
    shares_.push_back({static_cast<std::uint64_t>(end - 1), i});
  }
}

Pool* Arms::choose(std::uint64_t place) {
  if (const std::uint64_t version = board_.version(); version != version_) {
    version_ = version;
    compile();
  }
  const auto found = std::lower_bound(shares_.begin(), shares_.end(), place,
                                      [](const Share& share, std::uint64_t at) { return share.last < at; });
  if (found == shares_.end()) return nullptr;
  const Arm& arm = arms_[found->arm];
  if (arm.cell) arm.cell->requests.fetch_add(1, std::memory_order_relaxed);
  return arm.pool;
}

}  // namespace gatehouse::l7
