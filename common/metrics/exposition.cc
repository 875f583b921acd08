#include "common/metrics/exposition.h"

#include <fmt/format.h>

namespace gatehouse::metrics {
namespace {

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

void Exposition::add_text(const Family& family, const Labels& labels, std::string_view value) {
  const auto [place, is_new] = places_.try_emplace(family.name, families_.size());
  if (is_new) {
    families_.push_back(fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", family.name, family.help,
                                    family.kind == Kind::kCounter ? "counter" : "gauge"));
  }
  std::string& out = families_[place->second];
  out += family.name;
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
