// Rules about prefix lists and limits by source.
#include <map>

#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

// Half of the room that the tables of bpf/abi_guard.h have: while lists change, old and new ones stand side
// by side.
constexpr std::size_t kMostLists = 16;
constexpr std::uint64_t kLongestBurst = 600;  // seconds until it is earned again

class ProtectionValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    check_one_of("protection.syn_cookies", "protection.syn_cookies", config_.protection.syn_cookies,
                 {"auto", "always", "off"});
    check_section_names("prefix_list", config_.prefix_lists);
    check_section_names("source_limit", config_.source_limits);
    if (config_.prefix_lists.size() > kMostLists) {
      error("prefix_list", "[[prefix_list]]: expected at most " + std::to_string(kMostLists) + ", found " +
                               std::to_string(config_.prefix_lists.size()));
    }
    for (std::size_t i = 0; i < config_.prefix_lists.size(); ++i) check_list(i, config_.prefix_lists[i]);
    for (std::size_t i = 0; i < config_.source_limits.size(); ++i) check_limit(i, config_.source_limits[i]);
    check_owners();
  }

 private:
  void check_one_of(const std::string& path, const std::string& label, const std::string& value,
                    const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), value) != known.end()) return;
    std::string expected;
    for (const std::string& each : known)
      expected += (expected.empty() ? "" : &each == &known.back() ? " or " : ", ") + quoted(each);
    error(path, label + ": expected " + expected + ", found " + quoted(value));
  }

  void check_vips(const std::string& path, const std::string& label, const std::vector<std::string>& vips) {
    for (const std::string& vip : vips) check_reference(path, label + " vips: VIP", vip, config_.vips);
  }

  void check_list(std::size_t i, const PrefixList& list) {
    check_one_of(at("prefix_list", i, "action"), "[[prefix_list]] action", list.action,
                 {"deny", "allow", "exempt"});
    check_vips(at("prefix_list", i, "vips"), "[[prefix_list]]", list.vips);
    const bool is_alone = list.action == "allow" &&
                          std::none_of(config_.prefix_lists.begin(), config_.prefix_lists.end(),
                                       [](const PrefixList& other) { return other.action == "deny"; });
    if (is_alone) {
      warn(at("prefix_list", i),
           "[[prefix_list]] " + quoted(list.name) +
               " allows what nothing denies; to let nobody else in, deny 0.0.0.0/0 and ::/0 by another list");
    }
    if (list.prefixes.size() > config_.protection.prefixes) {
      error(at("prefix_list", i, "prefixes"), "[[prefix_list]] " + quoted(list.name) + " has " +
                                                  std::to_string(list.prefixes.size()) +
                                                  " prefixes; protection.prefixes leaves room for " +
                                                  std::to_string(config_.protection.prefixes));
    }
  }

  void check_limit(std::size_t i, const SourceLimit& limit) {
    check_vips(at("source_limit", i, "vips"), "[[source_limit]]", limit.vips);
    if (limit.packets_per_second == 0 && limit.syns_per_second == 0) {
      error(at("source_limit", i),
            "[[source_limit]] " + quoted(limit.name) + " needs packets_per_second or syns_per_second");
    }
    check_burst(i, "packet_burst", limit.packet_burst, limit.packets_per_second);
    check_burst(i, "syn_burst", limit.syn_burst, limit.syns_per_second);
  }

  // The clock of limits ticks 100 times a second on some kernels: what comes between two ticks must fit the
  // burst.
  void check_burst(std::size_t i, const char* key, std::uint64_t burst, std::uint64_t rate) {
    if (burst == 0) return;
    const std::string path = at("source_limit", i, key);
    const std::string label = std::string("[[source_limit]] ") + key;
    if (rate == 0) return error(path, label + ": there is no rate that it goes with");
    if (burst > rate * kLongestBurst) {
      return error(path, label + ": expected at most what the rate earns in ten minutes, " +
                             std::to_string(rate * kLongestBurst));
    }
    if (burst * 50 < rate) {
      error(path, label + ": expected at least what the rate earns in 20 ms, " +
                      std::to_string((rate + 49) / 50) + ", found " + std::to_string(burst));
    }
  }

  // No VIP may be named by two limits, and only one may be for the rest.
  void check_owners() {
    std::map<std::string, std::string> owners;
    for (std::size_t i = 0; i < config_.source_limits.size(); ++i) {
      const SourceLimit& limit = config_.source_limits[i];
      std::vector<std::string> vips = limit.vips;
      if (vips.empty()) vips.push_back("");
      for (const std::string& vip : vips) {
        const auto [owner, is_new] = owners.emplace(vip, limit.name);
        if (is_new) continue;
        error(at("source_limit", i, "vips"),
              "[[source_limit]] " + quoted(limit.name) + ": " +
                  (vip.empty() ? "the VIPs that no limit names" : "VIP " + quoted(vip)) +
                  (vip.empty() ? " have " : " has ") + quoted(owner->second) + " already");
      }
    }
  }
};

}  // namespace

void validate_protection(const Config& config, Findings& findings) {
  ProtectionValidator(config, findings).run();
}

}  // namespace gatehouse::config
