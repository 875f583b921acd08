// Prometheus' text exposition format, version 0.0.4: families with their help, each in one piece, whatever
// the order in which samples come. Names are ours and checked when a test reads the output by promtool; label
// values may be anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gatehouse::metrics {

enum class Kind { kCounter, kGauge };
using Labels = std::vector<std::pair<std::string_view, std::string>>;

struct Family {
  const char* name;
  Kind kind;
  const char* help;
};

class Exposition {
 public:
  void add(const Family& family, const Labels& labels, std::uint64_t value) {
    add_text(family, labels, std::to_string(value));
  }
  void add(const Family& family, const Labels& labels, double value);
  std::string text() const;  // families in the order of their first samples

 private:
  void add_text(const Family& family, const Labels& labels, std::string_view value);
  std::vector<std::string> families_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

}  // namespace gatehouse::metrics
