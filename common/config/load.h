// TOML text to Config. Unknown keys are errors; every error names file, line, what was expected and, for a key or a
// reference that looks like a slip, the nearest known one. All errors of a file are reported, not only the first.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"

namespace gatehouse::config {

struct Finding {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string text;  // "edge.toml:12: unknown key \"weigth\" in [[node]]; did you mean \"weight\"?"
};

struct Loaded {
  Config config;                  // meaningful only when is_valid()
  std::vector<Finding> findings;  // errors first, then warnings, each in file order
  std::map<std::string, int> lines;  // of what the file says: "route[2].pool"
  bool is_valid() const;
  std::string errors() const;     // the errors, one a line
};

// Parses and validates. `file` is used for messages and, by its folder, to resolve relative paths inside the config.
Loaded load_text(std::string text, const std::string& file);

// As above from disk; a file that cannot be read is a finding too.
Loaded load_file(const std::string& file);

}  // namespace gatehouse::config
