// The supervisor's part in discovery: what is found takes the path that a reload would take, but for the pool
// alone.
#include <algorithm>

#include "common/log.h"
#include "l7/supervisor/supervisor.h"

namespace gatehouse::l7 {
namespace {

// For sources that nothing is known of: without them a pool would begin with nobody.
constexpr Duration kFirstAnswers{1'000};

}  // namespace

void Supervisor::begin_discovery() {
  discovery_ = std::make_unique<Discovery>(loop_, options_.state_folder + "/discovered",
                                           [this](const std::string& pool) { on_discovered(pool); });
  discovery_->begin(config_, kFirstAnswers);
  discovery_->use(config_);
}

void Supervisor::on_discovered(const std::string& name) {
  const auto pool = std::find_if(config_.pools.begin(), config_.pools.end(),
                                 [&name](const auto& each) { return each.name == name; });
  if (pool == config_.pools.end()) return;
  pool->backends = discovery_->backends_of(name);
  prober_->set_backends(config_, *pool, tls_->files());
  workers_->send_backends(*pool);
  report_soon();
}

// Files are read when all else is there: what they are by then is what is used.
void Supervisor::reload_when_found(config::Config config, control::Reply reply) {
  if (reply_of_next_)
    std::exchange(reply_of_next_,
                  nullptr)(Error{"another reload came in between: see status for what is in use"});
  next_config_ = std::make_unique<config::Config>(std::move(config));
  reply_of_next_ = std::move(reply);
  discovery_->prepare(*next_config_, kFirstAnswers, [this] {
    if (!next_config_) return;  // two came in one turn
    auto answer = std::exchange(reply_of_next_, nullptr);
    auto prepared = prepare(std::move(*std::exchange(next_config_, nullptr)));
    const Status may = prepared ? versions_->check_reload(prepared->config) : prepared.error();
    if (may) {
      apply(std::move(*prepared), std::move(answer));
    } else {
      answer(may.error());
    }
    discovery_->forget_others();  // of a config that was refused
  });
}

}  // namespace gatehouse::l7
