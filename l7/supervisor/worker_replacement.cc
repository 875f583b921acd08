// A worker gets a successor in four steps, each of which leaves somebody serving whatever dies: the successor
// takes the config, without sockets; the worker lends its sockets, and accepts on; the successor accepts from
// them, too; the worker leaves.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/events.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "l7/supervisor/worker_place.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kReplaceTime{20'000};  // for one worker
constexpr Duration kDialling{50};

}  // namespace

void WorkerProcesses::replace_all(std::function<void(Result<std::uint32_t>)> on_done) {
  if (is_stopping_) return on_done(Error{"the node stops"});
  if (replacement_) return on_done(Error{"workers are being replaced already"});
  replacement_ = std::make_unique<Replacement>();
  replacement_limit_.arm<&WorkerProcesses::on_replacement_limit>(loop_, kReplaceTime, this);
  replacement_->on_done = std::move(on_done);
  for (std::uint32_t slot = count_; slot > 0; --slot) replacement_->left.push_back(slot - 1);
  replace_next();
}

void WorkerProcesses::replace_next() {
  Replacement& now = *replacement_;
  now.old = now.heir = nullptr;
  now.lent.clear();
  now.has_own_sockets = false;
  while (!now.left.empty()) {
    Place* old = holder(now.left.back());
    if (!old || !old->is_alive() ||
        old->slot >= count_) {  // one that is started from now on is a successor anyway
      now.left.pop_back();
      continue;
    }
    // Its predecessor has just lost an earlier supervisor: it will dial in, or be dead.
    if (!old->channel) return replacement_wait_.arm<&WorkerProcesses::replace_next>(loop_, kDialling, this);
    Place* heir = free_place(old->slot);
    if (!heir)
      return log_warn(
          "every place is taken by workers that leave: the next one is replaced when one is gone");
    now.left.pop_back();
    now.old = old;
    now.heir = heir;
    heir->is_heir = true;
    board_.clear_worker(heir->index);
    replacement_limit_.arm<&WorkerProcesses::on_replacement_limit>(loop_, kReplaceTime, this);
    return spawn(*heir);
  }
  replacement_limit_.cancel();
  const auto finished = std::exchange(replacement_, nullptr);
  log_info("{} workers have been replaced", finished->done);
  finished->on_done(finished->done);
}

void WorkerProcesses::on_heir_configured(const Json& params) {
  Replacement& now = *replacement_;
  if (const std::string error = text_of(member(params, "error")); !error.empty())
    return end_replacement("the new worker refuses the config: " + error);
  if (now.heir->digest != config_.digest) return;  // a reload came in between: it has been sent that, too
  if (!now.heir->is_heir) return take_over();
  if (now.old->slot >= count_) return end_replacement("the number of workers has changed meanwhile");
  if (now.old->channel && now.old->can_lend) return now.old->channel->notify("lend_sockets", Json::object());
  std::vector<Fd> none;
  on_sockets(*now.old, {{"keys", Json::array()}}, none);
}

// From now on the slot is the successor's, though both accept.
void WorkerProcesses::on_sockets(Place& place, const Json& params, std::vector<Fd>& descriptors) {
  if (!replacement_ || &place != replacement_->old || !replacement_->heir->is_heir) return;
  Replacement& now = *replacement_;
  const Json& keys = list_member(params, "keys");
  for (std::size_t i = 0; i < keys.size() && i < descriptors.size(); ++i) {
    if (keys[i].is_string()) now.lent[keys[i].get<std::string>()] = std::move(descriptors[i]);
  }
  now.heir->is_heir = false;
  now.heir->slot = std::exchange(now.old->slot, kNoSlot);
  write_process_file();
  send_config(*now.heir);
}

void WorkerProcesses::take_over() {
  Replacement& now = *replacement_;
  log_info("worker {} (pid {}) takes the place of worker {} (pid {})", now.heir->index, now.heir->pid,
           now.old->index, now.old->pid);
  report_event("worker", "worker " + std::to_string(now.heir->index),
               "takes the place of worker " + std::to_string(now.old->index),
               "an operator wants it replaced");
  if (now.old->is_alive()) leave(*now.old, now.has_own_sockets ? kHandshakes : Duration(0));
  ++now.done;
  on_change_();
  replace_next();
}

void WorkerProcesses::on_replacement_limit() { end_replacement("the new worker does not get ready"); }

// The worker of before has its sockets still, and serves on.
void WorkerProcesses::end_replacement(const std::string& why) {
  replacement_limit_.cancel();
  replacement_wait_.cancel();
  const auto ended = std::exchange(replacement_, nullptr);
  if (Place* heir = ended->heir) {
    if (ended->old && !ended->old->is_leaving && ended->old->slot == kNoSlot) ended->old->slot = heir->slot;
    heir->slot = kNoSlot;
    heir->is_heir = false;
    if (heir->is_alive()) syscall(SYS_pidfd_send_signal, heir->process.get(), SIGKILL, nullptr, 0);
    write_process_file();
  }
  log_error("workers are not replaced: {}", why);
  ended->on_done(
      Error{"replaced " + std::to_string(ended->done) + " workers, then: " + why + "; the others serve on"});
}

}  // namespace gatehouse::l7
