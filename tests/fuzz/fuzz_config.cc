// Site configs, as an operator or an L4 host hands them over: any text gives a config or errors that name the
// file and a line of it, and the same ones each time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/config/load.h"

namespace {

using namespace gatehouse::config;

constexpr const char* kFile = "site.toml";

// "site.toml:LINE: …"
void check_finding(const Finding& finding, std::ptrdiff_t lines) {
  const std::string_view text = finding.text;
  const std::string_view start = "site.toml:";
  GH_CHECK(text.starts_with(start));
  const std::size_t end = text.find(':', start.size());
  GH_CHECK(end != std::string_view::npos && end > start.size() && end + 2 < text.size());
  const std::string_view digits = text.substr(start.size(), end - start.size());
  GH_CHECK(std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }));
  const long line = std::strtol(std::string(digits).c_str(), nullptr, 10);
  GH_CHECK(line >= 1 && line <= lines);
}

template <typename Section>
bool is_known(const Section& entries, const std::string& name) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
}

// What the tiers rely on without asking again.
void check_valid(const Config& config, const std::string& text) {
  GH_CHECK(config.text == text && config.file == kFile);
  for (const Route& route : config.routes) GH_CHECK(is_known(config.pools, route.pool));
  for (const Node& node : config.nodes) GH_CHECK(node.id >= 1 && node.id <= 4095 && !node.name.empty());
  for (const Pool& pool : config.pools) GH_CHECK(!pool.name.empty() && !pool.backends.empty());
  for (const Listener& listener : config.listeners) {
    for (const std::string& vip : listener.vips) GH_CHECK(is_known(config.vips, vip));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load_text(text, kFile);
  const Loaded again = load_text(text, kFile);
  GH_CHECK(loaded.is_valid() == again.is_valid());
  GH_CHECK(loaded.errors() == again.errors());
  GH_CHECK(loaded.findings.size() == again.findings.size());
  GH_CHECK(loaded.config.digest == again.config.digest);
  GH_CHECK(loaded.is_valid() == loaded.errors().empty());
  const std::ptrdiff_t lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const Finding& finding : loaded.findings) check_finding(finding, lines);
  if (loaded.is_valid()) check_valid(loaded.config, text);
  return 0;
}
