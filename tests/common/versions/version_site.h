// A site inside one process: two L4 hosts and three nodes, each with its own folder of versions, a
// participant and, on L4 hosts, a coordinator; between them real channels over socketpairs. Hosts die and
// come back from their files, links are cut, disks fill up, messages vanish: whatever a test says, at
// whatever turn of the loop.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/load.h"
#include "common/versions/coordinator.h"
#include "common/versions/requests.h"
#include "tests/common/control_ends.h"
#include "tests/support/source_tree.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::versions {

using control::Json;

inline std::string site_text(const std::string& mark) {
  static const std::string text = test::read_text(test::kSourceRoot / "config/quickstart.toml");
  return text + "# " + mark + "\n";
}

// While it lives, no file of this process grows beyond `bytes`.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit tight{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &tight);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

struct Host {
  std::string name;
  bool is_l4 = false;
  std::unique_ptr<VersionStore> store;
  std::unique_ptr<Participant> participant;
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<Requests> requests;
  config::Config config;  // in use
  std::string refusal;    // of whatever is to be prepared
  int room = -1;          // bytes that a file may have; -1: any number
  bool is_deaf = false;   // what it is asked vanishes
  int lives = 0;
  std::function<void(const Version&, bool, std::function<void(Status)>)>
      publish;  // to a store; empty: there is none

  bool is_alive() const { return participant != nullptr; }
};

class VersionSite {
 public:
  explicit VersionSite(Duration patience = Duration(10'000)) : patience_(patience) {
    for (const char* name : {"l4a", "l4b", "n1", "n2", "n3"}) {
      hosts_[name].name = name;
      hosts_[name].is_l4 = std::string(name).starts_with("l4");
      start(name);
    }
    connect();
  }
  ~VersionSite() {
    for (auto& [name, host] : hosts_) kill(name);
  }

  EventLoop& loop() { return loop_; }
  Host& host(const std::string& name) { return hosts_.at(name); }
  std::map<std::string, Host>& hosts() { return hosts_; }
  std::string folder(const std::string& name) const { return folder_.path() + "/" + name; }

  void start(const std::string& name) {
    Host& host = hosts_.at(name);
    if (host.is_alive()) return;
    auto store = VersionStore::open(folder(name));
    ASSERT_TRUE(store) << store.error().message;
    host.store = std::move(*store);
    host.config =
        config::load_text(host.store->committed() ? host.store->committed()->text : site_text("file"),
                          "site.toml")
            .config;
    Participant::Host self{name, [this, &host](const std::string& text) { return prepare(host, text); },
                           [&host] { return host.config.text; }, nullptr};
    host.participant = std::make_unique<Participant>(*host.store, std::move(self));
    if (!host.is_l4) return;
    host.coordinator = std::make_unique<Coordinator>(
        loop_, *host.participant, name,
        Coordinator::Site{[&host]() -> const config::Config& { return host.config; },
                          [&host](const Version& version, bool absent_ok, std::function<void(Status)> done) {
                            host.publish ? host.publish(version, absent_ok, std::move(done)) : done({});
                          },
                          patience_, Duration(10)});
    host.requests = std::make_unique<Requests>(
        *host.participant, *host.coordinator,
        Requests::Host{[&host]() -> const config::Config& { return host.config; }, ""});
  }

  // As SIGKILL: what is on disk stays.
  void kill(const std::string& name) {
    std::erase_if(links_, [&](const auto& link) {
      if (link->dialer != name && link->l4 != name) return false;
      leave(*link);
      return true;
    });
    Host& host = hosts_.at(name);
    ++host.lives;
    host.requests.reset();
    host.coordinator.reset();
    host.participant.reset();
    host.store.reset();
    host.refusal.clear();
  }

  void cut(const std::string& one, const std::string& other) {
    std::erase_if(links_, [&](const auto& link) {
      const bool is_it =
          (link->dialer == one && link->l4 == other) || (link->dialer == other && link->l4 == one);
      if (is_it) leave(*link);
      return is_it;
    });
  }

  // Whoever lives dials every L4 host that it has no link to.
  void connect() {
    for (auto& [dialer, host] : hosts_) {
      for (auto& [l4, other] : hosts_) {
        if (dialer == l4 || !other.is_l4 || !host.is_alive() || !other.is_alive()) continue;
        const auto is_it = [&, d = dialer, l = l4](const auto& link) {
          return link->dialer == d && link->l4 == l;
        };
        if (std::none_of(links_.begin(), links_.end(), is_it)) dial(dialer, l4);
      }
    }
  }

  // The report of a second.
  void report() {
    for (const auto& link : links_) {
      link->near->notify("versions", to_json(hosts_.at(link->dialer).participant->state()));
    }
  }
  void turn(int times) {
    for (int i = 0; i < times; ++i) loop_.turn(Duration(0));
  }
  // As long as it takes until nobody has anything to say any more.
  bool settle() {
    const auto end = EventLoop::Clock::now() + std::chrono::seconds(20);
    for (int i = 0; EventLoop::Clock::now() < end; ++i) {
      if (i > 1 && is_settled()) return true;
      connect();
      report();
      turn(4);
      if (i > 4) loop_.turn(Duration(10));  // somebody waits for a time to be over
    }
    return is_settled();
  }
  bool is_settled() {
    const Host& first = hosts_.begin()->second;
    for (auto& [name, host] : hosts_) {
      if (!host.is_alive() || (host.coordinator && host.coordinator->is_busy())) return false;
      const VersionState state = host.participant->state(), expected = first.participant->state();
      if (state.prepared || !state.problem.empty() || state.committed != expected.committed) return false;
      if (host.config.text != first.config.text) return false;
    }
    return true;
  }
  std::string standing() {
    std::string text;
    for (auto& [name, host] : hosts_) {
      text += name + ": " + (host.is_alive() ? to_json(host.participant->state()).dump() : "dead") + "\n";
    }
    return text;
  }

  struct Answer {
    bool is_there = false;
    bool is_good = false;
    std::string text;
  };
  std::shared_ptr<Answer> change(const std::string& l4, Change change) {
    auto answer = std::make_shared<Answer>();
    hosts_.at(l4).coordinator->change(std::move(change), [answer](const Result<Json>& result) {
      *answer = {true, result.has_value(), result ? result->dump() : result.error().message};
    });
    return answer;
  }
  std::shared_ptr<Answer> apply(const std::string& l4, const std::string& text, bool absent_ok = false) {
    Change wanted;
    wanted.text = text;
    wanted.who = "uid 0";
    wanted.absent_ok = absent_ok;
    return change(l4, std::move(wanted));
  }
  void wait_for(const Answer& answer) {
    control::turn_until(loop_, [&] { return answer.is_there; });
  }

 private:
  struct Link {
    std::string dialer, l4;
    std::unique_ptr<control::Channel> near, far;  // the dialer's end, and that of the L4 host
  };

  // A node's workers take a moment.
  Result<Participant::Switch> prepare(Host& host, const std::string& text) {
    if (!host.refusal.empty()) return Error{host.refusal};
    auto loaded = std::make_shared<config::Loaded>(config::load_text(text, "site.toml"));
    if (!loaded->is_valid()) return Error{loaded->errors()};
    return Participant::Switch([this, &host, loaded, life = host.lives](control::Reply reply) {
      const auto use = [&host, loaded, life, reply = std::move(reply)] {
        if (host.lives != life) return;
        host.config = loaded->config;
        reply(Json::object());
      };
      if (host.is_l4) return use();
      loop_.defer(use);
    });
  }

  void leave(const Link& link) {
    Host& l4 = hosts_.at(link.l4);
    if (l4.coordinator) l4.coordinator->leave(*link.far);
  }

  void dial(const std::string& dialer, const std::string& l4) {
    auto link = std::make_unique<Link>(Link{dialer, l4, nullptr, nullptr});
    Host &host = hosts_.at(dialer), &other = hosts_.at(l4);
    Fd one, another;
    control::make_socket_pair(one, another);
    control::Handlers near, far;
    near.on_request = [&host, l4](control::Channel&, std::string_view method, const Json& params,
                                  control::Reply reply) {
      if (host.is_deaf) return;
      if (host.room < 0) return host.participant->on_request(l4, method, params, std::move(reply));
      const FullDisk full(static_cast<rlim_t>(host.room));
      host.participant->on_request(l4, method, params, std::move(reply));
    };
    far.on_notify = [&other, dialer](control::Channel& channel, std::string_view method, const Json& params,
                                     std::vector<Fd>&) {
      const auto state = version_state_from_json(params);
      ASSERT_TRUE(state) << state.error().message;
      if (method == "hello") return other.coordinator->join(dialer, channel, *state);
      other.coordinator->hear(dialer, *state);
    };
    link->near = control::adopt_unix(loop_, std::move(one), std::move(near));
    link->far = control::adopt_unix(loop_, std::move(another), std::move(far));
    link->near->notify("hello", to_json(host.participant->state()));
    links_.push_back(std::move(link));
  }

  test::TemporaryFolder folder_;
  Duration patience_;
  EventLoop loop_;
  std::map<std::string, Host> hosts_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace gatehouse::versions
