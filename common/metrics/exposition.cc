#include "common/metrics/exposition.h"

#include <fmt/format.h>

namespace gatehouse::metrics {
namespace {

constexpr const char* kKinds[] = {"counter", "gauge", "histogram"};

void append_quoted(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace

void Exposition::add(const Family& family, const Labels& labels, double value) {
  add_text(family, labels, fmt::format("{}", value));
}

void Exposition::add(const Family& family, const Labels& labels, const std::vector<Bucket>& buckets,
                     std::uint64_t count, double sum) {
  Labels all = labels;
  all.emplace_back("le", "");
  for (const Bucket& bucket : buckets) {
    all.back().second = fmt::format("{}", bucket.limit);
    add_text(family, all, std::to_string(bucket.below), "_bucket");
  }
  all.back().second = "+Inf";
  add_text(family, all, std::to_string(count), "_bucket");
  add_text(family, labels, fmt::format("{}", sum), "_sum");
  add_text(family, labels, std::to_string(count), "_count");
}

void Exposition::add_text(const Family& family, const Labels& labels, std::string_view value,
                          std::string_view suffix) {
  const auto [place, is_new] = places_.try_emplace(family.name, families_.size());
  if (is_new) {
    families_.push_back(fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", family.name, family.help,
                                    kKinds[static_cast<std::size_t>(family.kind)]));
  }
  std::string& out = families_[place->second];
  out += family.name;
  out += suffix;
  const char* before = "{";
  for (const auto& [name, text] : labels) {
    out += before;
    out += name;
    out += '=';
    append_quoted(out, text);
    before = ",";
  }
  if (!labels.empty()) out += '}';
  out += ' ';
  out += value;
  out += '\n';
}

std::string Exposition::text() const {
  std::string all;
  for (const std::string& family : families_) all += family;
  return all;
}

}  // namespace gatehouse::metrics
