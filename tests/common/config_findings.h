// What tests of config rules share: rows of a name, a config, and what is found in it.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

inline std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += (text.empty() ? "" : "\n") + finding.text;
  return text;
}
inline std::string findings_of(const std::string& toml) { return text_of(load_text(toml, "f").findings); }
// Without those that have `but` in them: not every row has use for all that the config declares.
inline std::string findings_of(const std::string& toml, const std::string& but) {
  std::vector<Finding> findings = load_text(toml, "f").findings;
  std::erase_if(findings, [&but](const Finding& finding) { return finding.text.find(but) != std::string::npos; });
  return text_of(findings);
}

// A config of one pool, of which `more` begins at line 8.
inline std::string of_a_pool(const std::string& more) {
  return "[[listener]]\nname = \"web\"\naddresses = [\"127.0.0.1:80\"]\n[[route]]\npool = \"p\"\n[[pool]]\n"
         "name = \"p\"\n" +
         more;
}

struct Row {
  const char* name;
  std::string toml;
  std::string findings;
};
inline void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
inline std::string name_of(const testing::TestParamInfo<Row>& info) { return info.param.name; }

}  // namespace gatehouse::config
