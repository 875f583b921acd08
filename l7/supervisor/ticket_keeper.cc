#include "l7/supervisor/ticket_keeper.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/files.h"
#include "common/log.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kOwnBytes = 32;
constexpr std::size_t kLeastBytes = 32;
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr Duration kLongestWait{60'000};  // the wall clock may be set

Fd reopened(const Fd& fd, int flags) {
  return Fd(open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), flags | O_CLOEXEC));
}

// Written by a supervisor, and by nobody else since.
bool is_ours(const Fd& memory) {
  struct stat info {};
  return fstat(memory.get(), &info) == 0 && info.st_uid == geteuid() && S_ISREG(info.st_mode) &&
         info.st_size == static_cast<off_t>(kOwnBytes) && fcntl(memory.get(), F_GET_SEALS) == kSeals;
}

Result<std::string> read(const char* label, const std::string& file) {
  if (file.empty()) return std::string();
  auto secret = read_file(file);
  if (!secret) return Error{std::string(label) + ": " + secret.error().message};
  if (secret->size() < kLeastBytes)
    return Error{std::string(label) + ": expected 32 bytes or more in " + file};
  return secret;
}

}  // namespace

Result<std::string> TicketKeeper::read_secret(const config::Tls& tls) {
  return read("[tls] ticket_secret_file", tls.ticket_secret_file);
}

Result<TicketKeeper::CookieSecrets> TicketKeeper::read_cookie_secrets(const config::Cookies& cookies) {
  auto present = read("[cookies] secret_file", cookies.secret_file);
  if (!present) return present.error();
  auto earlier = read("[cookies] earlier_secret_file", cookies.earlier_secret_file);
  if (!earlier) return earlier.error();
  return CookieSecrets{std::move(*present), std::move(*earlier)};
}

void TicketKeeper::set_config(const config::Tls& tls, std::string secret) {
  config_ = tls;
  site_secret_ = std::move(secret);
  // One is needed now: the time to find the earlier one has passed.
  if (site_secret_.empty() && own_secret_.empty() && keys_) make_own();
  refresh();
}

void TicketKeeper::adopt(const Fd& descriptor) {
  if (!own_secret_.empty()) return;
  const Fd memory = reopened(descriptor, O_RDONLY);
  std::string secret(kOwnBytes, '\0');
  const bool is_read =
      memory.is_open() && is_ours(memory) &&
      pread(memory.get(), secret.data(), secret.size(), 0) == static_cast<ssize_t>(secret.size());
  if (!is_read) return log_warn("the secret of session tickets that a worker kept is not ours");
  take(std::move(secret), reopened(memory, O_PATH));
}

void TicketKeeper::make_own() {
  if (!own_secret_.empty()) return;
  std::string secret(kOwnBytes, '\0');
  GH_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) == 1);
  const Fd memory(memfd_create("gatehouse-tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const bool is_kept =
      memory.is_open() && fchmod(memory.get(), 0600) == 0 &&
      write(memory.get(), secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) &&
      fcntl(memory.get(), F_ADD_SEALS, kSeals) == 0;
  if (!is_kept)
    log_warn("sessions will not outlive a restart of the supervisor: {}", system_error("memfd").message);
  take(std::move(secret), is_kept ? reopened(memory, O_PATH) : Fd());
}

void TicketKeeper::take(std::string secret, Fd descriptor) {
  own_secret_ = std::move(secret);
  descriptor_ = std::move(descriptor);
  keys_.reset();
  refresh();
}

void TicketKeeper::refresh() {
  const std::string& secret = site_secret_.empty() ? own_secret_ : site_secret_;
  bool is_changed = refresh_cookie_keys(cookie_secrets_.present.empty() ? secret : cookie_secrets_.present);
  if (!secret.empty()) is_changed |= refresh_ticket_keys(secret);
  if (is_changed) on_change_();
}

bool TicketKeeper::refresh_cookie_keys(const std::string& secret) {
  if (secret.empty()) return false;
  CookieKeys keys{derive_cookie_key(secret), std::nullopt};
  if (!cookie_secrets_.earlier.empty()) keys.earlier = derive_cookie_key(cookie_secrets_.earlier);
  return std::exchange(cookie_keys_, keys) != keys;
}

bool TicketKeeper::refresh_ticket_keys(const std::string& secret) {
  const auto now = std::chrono::system_clock::now();
  const std::uint64_t epoch = ticket_epoch(now, config_.ticket_lifetime);
  const auto next = std::chrono::system_clock::time_point(config_.ticket_lifetime * (epoch + 1));
  refresh_.arm<&TicketKeeper::refresh>(loop_, std::min(std::chrono::ceil<Duration>(next - now), kLongestWait),
                                       this);
  const TicketWindow keys = derive_ticket_keys(secret, epoch);
  return std::exchange(keys_, keys) != keys;
}

}  // namespace gatehouse::l7
