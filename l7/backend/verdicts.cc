// What a pool learns of its members by their requests: who is ejected, who comes back. The numbers are on the
// board, and of all workers of the node the first that finds an interval over judges it for all.
#include <algorithm>

#include "common/log.h"
#include "l7/backend/ejection.h"
#include "l7/backend/gradient.h"
#include "l7/backend/outliers.h"
#include "l7/backend/peak_ewma.h"
#include "l7/backend/pool.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr EventLoop::Clock::time_point kNever = EventLoop::Clock::time_point::max();

Window take(BackendCell& cell) {
  const std::uint64_t answers = cell.window.answers.exchange(0), waits = cell.window.waits.exchange(0);
  constexpr unsigned kBits = RequestWindow::kWaitBits;
  return {answers & 0xffff'ffff, answers >> 32, waits >> kBits,
          static_cast<double>(waits & ((std::uint64_t{1} << kBits) - 1))};
}

}  // namespace

void Pool::note_wait(Backend& backend, EventLoop::Clock::time_point since, bool is_real) {
  BackendCell* cell = backend.cell();
  if (since == kNever) return;
  const std::chrono::duration<double, std::micro> wait = context_.loop.now() - since;
  if (adaptive_ && is_real) {
    const Duration limit = config_.retry.try_timeout.count() > 0 ? config_.retry.try_timeout : config_.response_timeout;
    const bool is_in_time = wait < limit;
    adaptive_->note(is_in_time ? static_cast<std::uint64_t>(std::max(wait.count(), 0.0)) : kNoAnswer, board_time(context_.loop.now()));
  }
  if (!cell) return;
  if (is_timed_) add_sample(cell->peak_ewma, wait.count(), board_time(context_.loop.now()));
  if (config_.ejection.latency_factor > 0)
    cell->window.add_wait(static_cast<std::uint64_t>(std::max(wait.count(), 0.0)));
}

void Pool::note_success(Backend& backend) {
  BackendCell* cell = backend.cell();
  if (!cell) return;
  count_success(*cell);
  if (is_on_trial(*cell) && readmit_by_trial(*cell)) {
    context_.board.bump_version();
    log_info("pool {}: backend {} is back: its request succeeded", config_.name,
             to_string(backend.address()));
  }
  if (is_judged_) count_answer(*cell, false);
}

// What does not count is an answer all the same.
void Pool::note_failure(Backend& backend, bool counts_for_ejection) {
  backend.count_failure();
  if (!counts_for_ejection) return note_success(backend);
  BackendCell* cell = backend.cell();
  if (!cell) return;
  if (is_on_trial(*cell)) {
    put_out(backend, cell->ejected_for.load(), "the request that tried it failed");
  } else if (count_failure_in_a_row(*cell, config_.ejection)) {
    put_out(backend, EjectionReason::kFailures, "it failed in a row");
  }
  if (is_judged_) count_answer(*cell, true);
}

void Pool::count_answer(BackendCell& cell, bool is_failure) {
  cell.window.add(is_failure);
  if (context_.loop.now() >= next_judgement_) judge();
}

void Pool::judge() {
  const std::int64_t now = board_time(context_.loop.now()), interval = config_.ejection.interval.count();
  std::int64_t last = cell_->judged_ms.load();
  const bool is_due = now - last >= interval;
  const bool is_ours = is_due && cell_->judged_ms.compare_exchange_strong(last, now);
  next_judgement_ = context_.loop.now() + Duration(is_due ? interval : last + interval - now);
  if (!is_ours) return;
  std::vector<Window> windows;
  for (const Member& member : members_) {
    BackendCell* cell = member.backend->cell();
    windows.push_back(cell ? take(*cell) : Window());
    if (cell && is_ejected(*cell)) windows.back() = {};
  }
  if (last == 0) return;  // nobody knows since when
  for (const Outlier& outlier : find_outliers(windows, config_.ejection))
    put_out(*members_[outlier.index].backend, outlier.reason, outlier.text);
}

void Pool::put_out(Backend& backend, EjectionReason reason, std::string_view why) {
  BackendCell& cell = *backend.cell();
  const auto time = eject(cell, config_.ejection, reason, context_.loop.now());
  if (!time) return;
  // Looked at afterwards: two workers that eject at once see each other.
  if (has_too_many_ejected()) return undo_ejection(cell, reason);
  context_.board.bump_version();
  log_warn("pool {}: backend {} is ejected for {} ({}): {}", config_.name, to_string(backend.address()),
           to_string(*time), name_of(reason), why);
}

bool Pool::has_too_many_ejected() const {
  const auto out = std::count_if(members_.begin(), members_.end(),
                                 [](const Member& each) { return each.backend->is_ejected(); });
  return static_cast<std::size_t>(out) * 100 > config_.ejection.max_share * members_.size();
}

// Backends that are checked come back by that; a request tries them when nobody has checked them for long.
EventLoop::Clock::time_point Pool::trial_due(const BackendCell& cell) const {
  const config::Health& health = config_.health;
  const Duration patience = !health.is_on() ? Duration(0) : 3 * (health.interval + health.timeout);
  return EventLoop::Clock::time_point(Duration(cell.ejected_until_ms.load()) + patience);
}

// A request that has failed elsewhere is not the one to try it with.
Backend* Pool::choose_for_trial(const Wish& wish) {
  Occasion occasion(members_, wish, config_.limits);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    const auto rank = static_cast<Rank>(member.rank);
    const bool is_out = rank == Rank::kEjected || rank == Rank::kEjectedBackup;
    if (!is_out || context_.loop.now() < trial_due(*member.backend->cell()) || !occasion.takes(i)) continue;
    if (!begin_trial(*member.backend->cell(), context_.loop.now(), config_.ejection.time)) continue;
    context_.board.bump_version();
    return &*member.backend;
  }
  return nullptr;
}

}  // namespace gatehouse::l7
