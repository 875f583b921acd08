// Messages to the service manager, and the watchdog's timer.
#include "common/service_manager.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "common/notify.h"

namespace gatehouse {
namespace {

// Half of the time after which the manager gives a silent daemon up; 0: it has none for this process
// (sd_watchdog_enabled(3)).
Duration watchdog_interval() {
  const char* time = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  if (!time || (pid && std::atoll(pid) != getpid())) return Duration(0);
  const long long microseconds = std::atoll(time);
  return microseconds > 0 ? std::max(Duration(microseconds / 2'000), EventLoop::kTick) : Duration(0);
}

std::string monotonic_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(now.tv_sec * 1'000'000ll + now.tv_nsec / 1'000);
}

}  // namespace

ServiceManager::ServiceManager(EventLoop& loop) : loop_(loop), watchdog_(watchdog_interval()) {
  if (watchdog_.count() > 0) pat_watchdog();
}

void ServiceManager::pat_watchdog() {
  watchdog_timer_.arm<&ServiceManager::pat_watchdog>(loop_, watchdog_, this);
  notify("WATCHDOG=1");
}

void ServiceManager::ready(const std::string& status) {
  if (is_ready_) return set_status(status);
  is_ready_ = true;
  status_ = status;
  notify("READY=1\nSTATUS=" + status);
}

void ServiceManager::set_status(const std::string& status) {
  if (status == status_) return;
  status_ = status;
  notify("STATUS=" + status);
}

void ServiceManager::begin_reload() {
  if (reloads_++ == 0 && is_ready_) notify("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds());
}

void ServiceManager::end_reload() {
  if (--reloads_ == 0 && is_ready_) notify("READY=1");
}

void ServiceManager::stopping(Duration longest) {
  is_ready_ = false;
  std::string text = "STOPPING=1\nSTATUS=ending";
  if (longest.count() > 0) text += "\nEXTEND_TIMEOUT_USEC=" + std::to_string(longest.count() * 1'000);
  notify(text);
}

}  // namespace gatehouse
