#include "l7/supervisor/tls_store.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/digest.h"
#include "common/files.h"
#include "common/log.h"
#include "common/ocsp.h"
#include "l7/supervisor/country_database.h"
#include "l7/tls/client_context.h"
#include "l7/tls/trust.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kSettle{300};
constexpr Duration kPoll{10'000};  // for links to files elsewhere, and file systems that notify nobody
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;
constexpr std::int64_t kFewDays = 14;
constexpr std::size_t kMostReported = 16;

}  // namespace

TlsStore::TlsStore(EventLoop& loop, std::function<void()> on_change)
    : loop_(loop), on_change_(std::move(on_change)), notifications_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (notifications_.is_open())
    watch_.start<&TlsStore::on_notification>(loop, notifications_.get(), EPOLLIN, this);
  if (!notifications_.is_open())
    log_warn("replaced certificates are seen within {}: {}", to_string(kPoll),
             system_error("inotify").message);
}

std::vector<TlsStore::Unit> TlsStore::units_of(const config::Config& config) {
  std::vector<Unit> units;
  const auto add = [&units](Unit unit, std::vector<std::string> files) {
    for (std::string& file : files) {
      if (!file.empty()) unit.files.push_back(std::move(file));
    }
    units.push_back(std::move(unit));
  };
  for (const config::Listener& listener : config.listeners) {
    Unit unit{"[[listener]] \"" + listener.name + "\"", {}};
    for (const config::Certificate& pair : listener.certificates) {
      unit.pair = &pair;
      add(unit, {pair.chain, pair.key, pair.ocsp});
    }
    unit.pair = nullptr;
    unit.clients = &listener;
    if (listener.client_certificates != "none") add(unit, {listener.client_ca, listener.client_crl});
  }
  for (const config::Pool& pool : config.pools) {
    Unit unit{"[[pool]] \"" + pool.name + "\"", {}};
    unit.pool = &pool;
    if (pool.tls.enabled) add(unit, {pool.tls.ca, pool.tls.certificate, pool.tls.key});
  }
  for (const config::Route& route : config.routes) {
    if (!route.response || route.response->file.empty()) continue;
    Unit unit{config.file + ":" + std::to_string(route.line) + ": [[route]] \"" + route.name + "\" response.file", {}};
    unit.route = &route;
    add(unit, {route.response->file});
  }
  if (!config.countries.database.empty()) {
    Unit unit{config.file + ": [countries] database", {}};
    unit.is_countries = true;
    add(unit, {config.countries.database});
  }
  return units;
}

Status TlsStore::read_unit(const Unit& unit, TlsFiles& files) const {
  for (const std::string& file : unit.files) {
    auto text = read_file(file);
    if (!text) return Error{unit.label + ": " + text.error().message};
    auto content = content_of(unit, file, std::move(*text));
    if (!content) return Error{unit.label + ": " + file + ": " + content.error().message};
    files.put(file, std::move(*content));
  }
  return {};
}

// As workers want it.
Result<TlsFile> TlsStore::content_of(const Unit& unit, const std::string& file, std::string text) const {
  const TlsFile* known = files_.find(file);
  if (unit.is_countries) {
    std::string digest = sha256(text);
    if (known && known->source_digest == digest) return *known;
    const auto countries = read_countries(text);
    if (!countries) return countries.error();
    TlsFile table{countries->to_bytes()};
    table.source_digest = std::move(digest);
    return table;
  }
  constexpr std::size_t kMostBytes = config::DirectResponse::kMostBytes;
  if (unit.route && text.size() > kMostBytes) {
    return Error{"expected at most " + to_string(ByteSize{kMostBytes}) + ", found " + std::to_string(text.size()) + " bytes"};
  }
  const bool is_chain = unit.pair && file == unit.pair->chain;
  const bool is_known = known && known->text == text && (!is_chain || !known->key_type.empty());
  if (is_known) return *known;
  return is_chain ? describe_chain(std::move(text)) : TlsFile{std::move(text)};
}

bool TlsStore::is_in_use(const Unit& unit, const TlsFiles& files) const {
  return std::all_of(unit.files.begin(), unit.files.end(), [&](const std::string& file) {
    const TlsFile *now = files_.find(file), *then = files.find(file);
    return now && then && now->text == then->text;
  });
}

Status TlsStore::check(const Unit& unit, const TlsFiles& files) {
  Status checked;
  if (unit.pair) checked = check_pair(*unit.pair, files);
  if (unit.clients) {
    const auto trust =
        make_trust(files.text_of(unit.clients->client_ca), files.text_of(unit.clients->client_crl));
    if (!trust) checked = Error{"client_ca, client_crl: " + trust.error().message};
  }
  if (unit.pool) {
    const auto made = TlsClientContext::make(unit.pool->name, unit.pool->tls, files, keys_);
    if (!made) return made.error();
  }
  return checked ? checked : Status(Error{unit.label + ": " + checked.error().message});
}

Status TlsStore::check_pair(const config::Certificate& pair, const TlsFiles& files) {
  const auto chain = read_chain(files.text_of(pair.chain));
  if (!chain) return Error{pair.chain + ": " + chain.error().message};
  const auto key = keys_.read(files.text_of(pair.key));
  if (!key) return Error{pair.key + ": " + key.error().message};
  if (const Status fits = check_key_of(*chain, key->get()); !fits)
    return Error{pair.key + ": " + fits.error().message};
  const std::int64_t days = days_left(expiry_of(*chain));
  if (days < kFewDays)
    log_warn("{} {}", pair.chain, days < 0 ? "has expired" : "expires in " + std::to_string(days) + " days");
  if (pair.ocsp.empty()) return {};
  // Clients go on without one: it is no reason to refuse the certificate.
  const auto expiry = ocsp_expiry(files.text_of(pair.ocsp), *chain);
  if (!expiry) log_warn("{} is not stapled: {}", pair.ocsp, expiry.error().message);
  return {};
}

Result<TlsFiles> TlsStore::read(const config::Config& config) {
  TlsFiles files;
  for (const Unit& unit : units_of(config)) {
    if (const Status read = read_unit(unit, files); !read) return read.error();
    if (is_in_use(unit, files)) continue;
    if (const Status checked = check(unit, files); !checked) return checked.error();
  }
  return files;
}

void TlsStore::use(const config::Config& config, TlsFiles files) {
  config_ = config;
  units_ = units_of(config_);
  set_files(std::move(files));
  signatures_.clear();
  for (const Unit& unit : units_) {
    for (const std::string& file : unit.files) signatures_[file] = signature_of(file);
  }
  watch_folders();
  poll_.arm<&TlsStore::on_poll>(loop_, kPoll, this);
}

TlsStore::Signature TlsStore::signature_of(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec,
          info.st_mtim.tv_nsec};
}

void TlsStore::watch_folders() {
  std::map<std::string, int> watched;
  for (const auto& [file, signature] : signatures_) {
    const std::string folder = std::filesystem::path(file).parent_path().string();
    if (watched.contains(folder)) continue;
    const auto known = folders_.find(folder);
    watched[folder] =
        known != folders_.end()
            ? known->second
            : inotify_add_watch(notifications_.get(), folder.empty() ? "." : folder.c_str(), kChanges);
  }
  for (const auto& [folder, descriptor] : folders_) {
    if (!watched.contains(folder)) inotify_rm_watch(notifications_.get(), descriptor);
  }
  folders_ = std::move(watched);
}

void TlsStore::on_notification(std::uint32_t) {
  alignas(inotify_event) char events[4096];
  while (::read(notifications_.get(), events, sizeof events) > 0) {
  }
  settle_.arm<&TlsStore::look>(loop_, kSettle, this);
}

void TlsStore::on_poll() {
  poll_.arm<&TlsStore::on_poll>(loop_, kPoll, this);
  if (!settle_.is_armed()) look();
}

void TlsStore::look() {
  std::set<std::string> changed;
  for (auto& [file, signature] : signatures_) {
    if (std::exchange(signature, signature_of(file)) != signature) changed.insert(file);
  }
  if (changed.empty()) return;
  TlsFiles files = files_;
  for (const Unit& unit : units_) {
    const bool is_changed = std::any_of(unit.files.begin(), unit.files.end(),
                                        [&](const std::string& file) { return changed.contains(file); });
    if (!is_changed) continue;
    TlsFiles candidate;
    Status good = read_unit(unit, candidate);
    if (good && is_in_use(unit, candidate)) continue;
    if (good) good = check(unit, candidate);
    if (!good) {
      log_warn("{}: the one in use stays", good.error().message);
      continue;
    }
    log_info("{}: {} has been replaced", unit.label, unit.files.front());
    files.put_all(std::move(candidate));
  }
  if (files == files_) return;
  set_files(std::move(files));
  on_change_();
}

void TlsStore::set_files(TlsFiles files) {
  if (memory_.is_open() && files == files_) return;
  auto memory = files.to_memory();
  GH_CHECK(memory.has_value());
  files_ = std::move(files);
  memory_ = std::move(*memory);
}

std::vector<control::CertificateReport> TlsStore::report() const {
  std::vector<control::CertificateReport> reports;
  for (const config::Listener& listener : config_.listeners) {
    for (const config::Certificate& pair : listener.certificates) {
      const TlsFile* chain = files_.find(pair.chain);
      if (chain)
        reports.push_back({listener.name, pair.chain, chain->names.empty() ? "" : chain->names.front(),
                           days_left(chain->expiry)});
    }
  }
  std::stable_sort(reports.begin(), reports.end(),
                   [](const auto& left, const auto& right) { return left.days_left < right.days_left; });
  if (reports.size() > kMostReported) reports.resize(kMostReported);
  return reports;
}

}  // namespace gatehouse::l7
