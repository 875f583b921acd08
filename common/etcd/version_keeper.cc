// What the store says is compared with what is committed here, each time that it says something.
#include "common/etcd/version_keeper.h"

#include "common/files.h"
#include "common/json_fields.h"
#include "common/log.h"

namespace gatehouse::etcd {

Result<Options> options_of(const config::Store& store) {
  Options options{store.etcd, store.ca, store.certificate, store.key, store.user};
  if (store.password_file.empty()) return options;
  auto password = read_file(store.password_file);
  if (!password) return Error{"store.password_file: " + password.error().message};
  options.password = password->substr(0, password->find_first_of("\r\n"));
  return options;
}

VersionKeeper::VersionKeeper(EventLoop& loop, Options options, std::string key, Host host)
    : client_(loop, std::move(options)), key_(std::move(key)), host_(std::move(host)) {
  follower_ = std::make_unique<Follower>(client_, loop, key_,
                                         [this](const Result<Entry>& entry) { on_change(entry); });
}

void VersionKeeper::publish(const versions::Version& version, bool absent_ok,
                            std::function<void(Status)> done) {
  const auto without = [absent_ok, done](const std::string& why) {
    if (!absent_ok)
      return done(Error{"the store does not answer: " + why + "; --absent-ok goes on without it"});
    log_warn("the store does not answer and will hear later: {}", why);
    done({});
  };
  if (!problem_.empty()) return without(problem_);
  if (version.id <= there_) return done(Error{"the store has version " + to_string(there_) + " already"});
  client_.swap(key_, revision_, to_json(version).dump(), 0, [without, done](const Result<bool>& swapped) {
    if (!swapped) return without(swapped.error().message);
    done(*swapped ? Status() : Status(Error{"another L4 host was first: look at the difference again"}));
  });
}

void VersionKeeper::on_change(const Result<Entry>& entry) {
  if (!entry) return note(entry.error().message);
  const auto version = entry->exists()
                           ? versions::version_from_json(parse_json(entry->value))
                           : Result<versions::Version>(versions::Version());
  if (!version) return note(key_ + " is not what it should be: " + version.error().message);
  note("");
  revision_ = entry->revision;
  there_ = version->id;
  const auto& ours = host_.committed();
  const versions::VersionId here = ours ? ours->id : versions::VersionId();
  if (there_ > here) return host_.take(*version);
  if (here > there_) give_ours();
}

// Committed while the store was away.
void VersionKeeper::give_ours() {
  if (std::exchange(is_giving_, true)) return;
  const versions::Version ours = *host_.committed();
  log_info("the store is given version {}", to_string(ours.id));
  client_.swap(key_, revision_, to_json(ours).dump(), 0, [this](const Result<bool>& swapped) {
    is_giving_ = false;
    if (!swapped) log_warn("the store did not take it: {}", swapped.error().message);
  });
}

void VersionKeeper::note(const std::string& problem) {
  if (problem == problem_) return;
  if (problem.empty()) {
    log_info("the store answers");
  } else if (problem_.empty()) {
    log_warn("the store is away, and everything stays as it is: {}", problem);
  }
  problem_ = problem;
}

}  // namespace gatehouse::etcd
