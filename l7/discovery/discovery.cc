#include "l7/discovery/discovery.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "common/files.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "l7/discovery/dns_source.h"
#include "l7/discovery/file_source.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

}  // namespace

Discovery::Discovery(EventLoop& loop, std::string file,
                     std::function<void(const std::string& pool)> on_change)
    : loop_(loop), file_(std::move(file)), on_change_(std::move(on_change)) {}
Discovery::~Discovery() = default;

// What makes it another source, which knows nothing of the one before.
std::string Discovery::key_of(const config::Pool& pool) {
  const config::Discovery& options = *pool.discovery;
  std::string key =
      pool.name + "\n" + options.dns + "\n" + options.srv + "\n" + options.file + "\n" + options.family;
  for (const Endpoint& resolver : options.resolvers) key += "\n" + to_string(resolver);
  return key;
}

Discovery::Entry& Discovery::entry_of(const config::Pool& pool) {
  const std::string key = key_of(pool);
  Entry& entry = entries_[key];
  if (entry.source) return entry;
  entry.key = key;
  const auto changed = [this, key] { on_source(key); };
  if (pool.discovery->file.empty()) {
    entry.source = std::make_unique<DnsSource>(loop_, pool.name, *pool.discovery, changed);
  } else {
    entry.source = std::make_unique<FileSource>(loop_, pool.name, *pool.discovery, changed);
  }
  return entry;
}

void Discovery::want(const config::Config& config) {
  wanted_.clear();
  for (const config::Pool& pool : config.pools) {
    if (pool.discovery) wanted_.push_back(entry_of(pool).key);
  }
}

bool Discovery::has_all_spoken() const {
  return std::all_of(wanted_.begin(), wanted_.end(),
                     [this](const std::string& key) { return entries_.at(key).source->has_spoken(); });
}

// On a loop of its own: nothing else that the supervisor has may happen before it has begun.
void Discovery::begin(const config::Config& config, Duration limit) {
  want(config);
  load();
  if (has_all_spoken()) return;
  EventLoop loop;
  Discovery first(loop, "", [](const std::string&) {});
  first.want(config);
  const auto end = EventLoop::Clock::now() + limit;
  while (!first.has_all_spoken() && EventLoop::Clock::now() < end) loop.turn(Duration(50));
  remember(first.memory());
}

void Discovery::prepare(const config::Config& config, Duration limit, std::function<void()> on_ready) {
  want(config);
  on_ready_ = std::move(on_ready);
  limit_.arm<&Discovery::on_ready_limit>(loop_, limit, this);
  check_ready();
}

void Discovery::check_ready() {
  if (on_ready_ && has_all_spoken()) on_ready_limit();
}

void Discovery::on_ready_limit() {
  limit_.cancel();
  if (on_ready_) loop_.defer(std::exchange(on_ready_, nullptr));
}

void Discovery::look_ahead(const config::Config& config) {
  for (const config::Pool& pool : config.pools) {
    if (pool.discovery) entry_of(pool);
  }
}

void Discovery::use(config::Config& config) {
  want(config);
  used_.clear();
  for (config::Pool& pool : config.pools) {
    if (!pool.discovery) continue;
    Entry& entry = entry_of(pool);
    entry.source->set_options(*pool.discovery);
    entry.listed = pool.backends;
    used_[pool.name] = entry.key;
    pool.backends = backends_of(pool.name);
  }
  forget_others();
  save_.arm<&Discovery::save>(loop_, this);
}

void Discovery::forget_others() {
  std::erase_if(entries_, [this](const auto& entry) {
    return std::none_of(used_.begin(), used_.end(),
                        [&entry](const auto& used) { return used.second == entry.first; });
  });
  wanted_.clear();
}

Backends Discovery::backends_of(const std::string& pool) const {
  const Entry& entry = entries_.at(used_.at(pool));
  Backends backends = entry.listed;
  std::set<Endpoint> known;
  for (const config::Backend& backend : backends) known.insert(backend.address);
  for (const config::Backend& backend : entry.source->backends()) {
    if (known.insert(backend.address).second) backends.push_back(backend);
  }
  return backends;
}

void Discovery::on_source(const std::string& key) {
  check_ready();
  const auto used =
      std::find_if(used_.begin(), used_.end(), [&key](const auto& entry) { return entry.second == key; });
  if (used == used_.end()) return;
  save_.arm<&Discovery::save>(loop_, this);
  on_change_(used->first);
}

Json Discovery::report(const std::string& pool) const {
  const auto used = used_.find(pool);
  return used == used_.end() ? Json() : entries_.at(used->second).source->report();
}

Json Discovery::memory() const {
  Json memory = Json::object();
  for (const auto& [key, entry] : entries_) {
    if (Json of_source = entry.source->memory(); !of_source.is_null()) memory[key] = std::move(of_source);
  }
  return memory;
}

void Discovery::remember(const Json& memory) {
  if (!memory.is_object()) return;
  for (auto& [key, entry] : entries_) {
    if (memory.contains(key)) entry.source->remember(memory[key]);
  }
}

void Discovery::load() {
  if (file_.empty()) return;
  const auto text = read_file_if_any(file_);
  if (!text) return log_warn("what was found before is not known: {}", text.error().message);
  if (*text) remember(parse_json(**text));
}

void Discovery::save() {
  if (file_.empty() || (entries_.empty() && access(file_.c_str(), F_OK) != 0)) return;
  if (const Status written = replace_file(file_, memory().dump(), Sync::kLater); !written)
    log_warn("{}: the next supervisor will not know what was found", written.error().message);
}

}  // namespace gatehouse::l7
