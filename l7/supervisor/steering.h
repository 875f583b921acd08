// The node's BPF programs (bpf/node.bpf.c): packets out of the tunnel, new connections to workers. Everything is pinned and
// outlives the supervisor; the next one adopts it with the sockets that living workers have in it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/bpf_object.h"
#include "common/config/model.h"
#include "common/result.h"

struct gh_state;
struct gh_vip_line;
struct gh_counts;
struct gh_cookies;

namespace gatehouse::l7 {

class Steering {
 public:
  struct Options {
    std::string pin_folder;
    config::Node node;
  };
  static Result<std::unique_ptr<Steering>> open(const Options& options);
  ~Steering();

  // Fleet, addresses and workers as `config` has them: before attach() and at every reload. An Error changes no listener.
  Status set_config(const config::Config& config, std::uint32_t workers);
  // Connections that begin from now on go to so many.
  void set_workers(std::uint32_t workers);
  Status attach();
  static void detach(const std::string& pin_folder);

  // Makes `socket` the one that connections of `listener` (VIPs of one family) get at `worker`.
  Status set_socket(const std::string& listener, bool is_v4, std::uint32_t worker, int socket);

  // Where that is, in words that differ for every place: a socket filed elsewhere gets no connections.
  std::string place_of(const std::string& listener, bool is_v4) const;

  struct Count {
    std::string name;
    std::uint64_t packets;
  };
  std::vector<Count> verdicts() const;

 private:
  struct Programs;
  explicit Steering(Options options);
  Status map_tables();
  using Numbers = std::map<std::string, std::uint32_t>;  // "listener/4" → number
  Numbers number_listeners(const config::Config& config) const;
  std::optional<std::uint32_t> number_in_table(const IpAddress& address, std::uint16_t port) const;
  Status write_listeners(const config::Config& config, const Numbers& numbers);
  Status write_fleet(const config::Config& config);
  void write_identity(const config::Config& config);

  Options options_;
  std::unique_ptr<Programs> programs_;
  Pins pins_;
  gh_state* state_ = nullptr;
  gh_vip_line* listener_lines_ = nullptr;
  const gh_counts* counts_ = nullptr;
  std::size_t cpus_ = 0;
  gh_cookies* cookies_ = nullptr;
  std::string cookie_mode_;
  Numbers numbers_;
};

}  // namespace gatehouse::l7
