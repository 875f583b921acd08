// A version wins over the file: it is what the site agreed on.
#include "common/versions/host_versions.h"

#include "common/files.h"
#include "common/log.h"

namespace gatehouse::versions {

Result<std::unique_ptr<HostVersions>> HostVersions::open(const std::string& folder) {
  auto store = VersionStore::open(folder);
  if (!store) return store.error();
  for (const std::string& damage : (*store)->damages()) log_error("{}", damage);
  return std::unique_ptr<HostVersions>(new HostVersions(std::move(*store)));
}

config::Loaded HostVersions::load(const std::string& file) const {
  const auto& committed = store_->committed();
  if (!committed) return config::load_file(file);
  const auto text = read_file(file);
  if (!text || *text != committed->text) {
    log_warn(
        "{} is not what is used: version {} of the config is; `gatehouse apply` makes the file the next one",
        file, to_string(committed->id));
  }
  return config::load_text(committed->text, file);
}

Status HostVersions::check_reload(const config::Config& config) const {
  const auto& committed = store_->committed();
  if (!committed || committed->text == config.text) return {};
  return Error{config.file + ": version " + to_string(committed->id) +
               " of the config is in use, and this is another text: `gatehouse apply " + config.file +
               "` makes it the next version, on all hosts"};
}

void HostVersions::serve(EventLoop& loop, Daemon daemon) {
  const auto config = daemon.config;
  participant_ = std::make_unique<Participant>(
      *store_,
      Participant::Host{daemon.name, daemon.prepare, [config] { return config().text; }, daemon.on_change});
  coordinator_ = std::make_unique<Coordinator>(loop, *participant_, daemon.name, Coordinator::Site{config, daemon.publish});
  requests_ =
      std::make_unique<Requests>(*participant_, *coordinator_, Requests::Host{config, daemon.why_no_changes});
}

}  // namespace gatehouse::versions
