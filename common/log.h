// One line per event on standard error: time, level, process, message. Nothing is formatted for a level that is
// off. The access log is not this: see l7/access_log.h.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace gatehouse {

// Sets this process's name in log lines ("l4", "l7", "worker 3") and reads the level from GATEHOUSE_LOG
// (debug, info, warn, error). Called once in main and again after a fork.
void start_log(std::string_view process);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::default_logger_raw()->debug(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::default_logger_raw()->info(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::default_logger_raw()->warn(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::default_logger_raw()->error(format, std::forward<Args>(args)...);
}

}  // namespace gatehouse
