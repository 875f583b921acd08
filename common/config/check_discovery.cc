#include "common/config/check_discovery.h"

#include <filesystem>

#include "common/backend_list.h"

namespace gatehouse::config {

std::vector<Finding> check_discovery(const Config& config) {
  std::vector<Finding> findings;
  const auto warn = [&](const Pool& pool, const std::string& what) {
    findings.push_back(
        {Finding::Severity::kWarning, config.file + ": warning: [[pool]] \"" + pool.name + "\": " + what});
  };
  for (const Pool& pool : config.pools) {
    if (!pool.discovery || pool.discovery->file.empty()) continue;
    const std::string& file = pool.discovery->file;
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) {
      warn(pool, "there is no file " + file + " here; nodes need it");
      continue;
    }
    const auto backends = load_backend_list(file);
    if (!backends) findings.push_back({Finding::Severity::kError, backends.error().message});
    if (backends && backends->empty() && pool.backends.empty())
      warn(pool, file + " lists no backend: requests are answered 503");
  }
  return findings;
}

}  // namespace gatehouse::config
