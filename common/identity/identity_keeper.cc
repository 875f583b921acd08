// A look at three files every second costs less than being told of their folders' changes would need in code.
#include "common/identity/identity_keeper.h"

#include <algorithm>

#include "common/certificate.h"
#include "common/control/field_reader.h"
#include "common/events.h"
#include "common/files.h"
#include "common/identity/certificate_request.h"
#include "common/identity/identity_files.h"
#include "common/log.h"

namespace gatehouse::identity {

using Json = nlohmann::json;
using std::chrono::seconds;
using std::chrono::system_clock;

namespace {

constexpr seconds kLongestPause{600};

}  // namespace

std::string IdentityKeeper::state_of_files(const config::Control& control) {
  return state_of_file(control.certificate) + ";" + state_of_file(control.key) + ";" +
         state_of_file(control.ca);
}

Result<IdentityKeeper::Shown> IdentityKeeper::describe(const config::Control& control) {
  const auto text = read_file(control.certificate);
  if (!text) return text.error();
  const auto chain = read_chain(*text);
  if (!chain) return Error{control.certificate + ": " + chain.error().message};
  Shown shown;
  shown.name = common_name_of(chain->leaf.get());
  shown.authority = chain->issuers.empty() ? "" : pin_of(chain->issuers.front().get());
  CertificateChain alone;
  X509_up_ref(chain->leaf.get());
  alone.leaf.reset(chain->leaf.get());
  shown.expiry = expiry_of(alone);
  shown.renewal = shown.expiry - (shown.expiry - beginning_of(alone)) / 3;
  return shown;
}

Status IdentityKeeper::use(const config::Control& control) {
  const bool is_same =
      control.certificate == control_.certificate && control.key == control_.key && control.ca == control_.ca;
  const config::Control before = std::exchange(control_, control);
  if (is_same && identity_) return {};
  if (const Status read_anew = read(); !read_anew) {
    control_ = before;
    return read_anew;
  }
  if (!second_.is_armed()) second_.arm<&IdentityKeeper::on_second>(loop_, Duration(1'000), this);
  return {};
}

Status IdentityKeeper::read() {
  // Before they are read: what changes meanwhile is read again.
  const std::string files = state_of_files(control_);
  const auto loaded = control::load_tls_identity(control_);
  if (!loaded) return loaded.error();
  Shown shown;
  if (*loaded) {
    const auto described = describe(control_);
    if (!described) return described.error();
    shown = *described;
  }
  if (identity_ && *loaded) {
    control::replace_identity(*identity_, **loaded);
  } else {
    identity_ = *loaded;
  }
  files_ = files_before_ = files;
  shown_ = shown;
  problem_.clear();
  next_try_ = {};
  return {};
}

void IdentityKeeper::on_second() {
  second_.arm<&IdentityKeeper::on_second>(loop_, Duration(1'000), this);
  if (!identity_) return;
  look_at_files();
  const Time now = system_clock::now();
  if (is_renewable() && !shown_.authority.empty() && now >= shown_.renewal && now >= next_try_) renew();
}

// They are replaced one after the other: what has just changed may not be all of it.
void IdentityKeeper::look_at_files() {
  const std::string now = state_of_files(control_);
  const bool is_at_rest = std::exchange(files_before_, now) == now;
  if (now == files_ || !is_at_rest) return;
  const Status taken = read();
  if (taken) return log_info("the certificate of [control] has been read again");
  files_ = now;  // told once
  note("the certificate of [control] stays as it was: " + taken.error().message);
}

void IdentityKeeper::hear_authority(const Json& params) {
  std::string pin;
  control::FieldReader reader(params, "authority");
  reader.text("pin", pin);
  if (!reader.finish() || !identity_ || shown_.authority.empty() || shown_.authority == pin ||
      !is_renewable())
    return;
  log_info("the site has another authority: the certificate of this host is renewed");
  shown_.renewal = next_try_ = {};
}

void IdentityKeeper::renew() {
  if (is_asking_) return;
  is_asking_ = true;
  const seconds left = std::chrono::duration_cast<seconds>(shown_.expiry - system_clock::now());
  next_try_ = system_clock::now() + std::clamp(left / 20, seconds(1), kLongestPause);
  const PrivateKeyPtr key = make_key();
  ask_(make_request(key.get(), shown_.name),
       [this, key = key_to_pem(key.get()), alive = std::weak_ptr<bool>(alive_)](Result<Json> answer) {
         if (alive.expired()) return;
         is_asking_ = false;
         const Status taken = answer ? take(*answer, key) : Status(answer.error());
         if (!taken) return note("the certificate of this host is not renewed: " + taken.error().message);
         log_info("the certificate of this host is renewed");
         report_event("identity", shown_.name, "has a new certificate", "the earlier one was due");
       });
}

Status IdentityKeeper::take(const Json& answer, const std::string& key_text) {
  std::string chain_text, ca_text;
  control::FieldReader reader(answer, "renewed");
  reader.text("chain", chain_text);
  reader.text("ca", ca_text);
  if (const Status good = reader.finish(); !good) return good;
  if (const Status good = check_identity(chain_text, ca_text, key_text); !good) return good;
  // Hosts that are not renewed yet show what this one shows now: it must go on believing them.
  const auto now = read_file(control_.certificate);
  if (!now) return now.error();
  if (!check_overlap(*now, ca_text))
    return Error{"the site's authority is not, and does not follow, the one of this host's certificate"};
  if (const Status written = write_identity(control_, chain_text, ca_text, key_text); !written)
    return written;
  return read();
}

void IdentityKeeper::note(const std::string& problem) {
  if (problem == problem_) return;
  problem_ = problem;
  log_warn("{}", problem);
  report_event("identity", shown_.name, "is not renewed", problem);
}

Json IdentityKeeper::status() const {
  if (!identity_) return nullptr;
  return {{"name", shown_.name}, {"days_left", days_left(shown_.expiry)}, {"problem", problem_}};
}

}  // namespace gatehouse::identity
