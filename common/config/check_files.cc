#include "common/config/check_files.h"

#include "common/config/findings.h"
#include "common/config/validator.h"
#include "common/files.h"

namespace gatehouse::config {

std::vector<Finding> check_files(const Loaded& loaded) {
  Findings findings(loaded.config.file);
  for (const auto& [path, line] : loaded.lines) findings.remember(path, line);
  const auto check = [&findings](const std::string& where, const std::string& label, const std::string& file,
                                 std::size_t most_bytes) {
    if (file.empty()) return;
    const auto text = read_file(file);
    if (!text) return findings.error(findings.line_of(where), label + ": " + text.error().message);
    if (text->size() <= most_bytes) return;
    findings.error(findings.line_of(where), label + ": " + file + ": expected at most " +
                                                to_string(ByteSize{most_bytes}) + ", found " +
                                                std::to_string(text->size()) + " bytes");
  };
  for (std::size_t i = 0; i < loaded.config.routes.size(); ++i) {
    const Route& route = loaded.config.routes[i];
    if (route.response)
      check(at("route", i, "response.file"), "[[route]] " + quoted(route.name) + " response.file",
            route.response->file, DirectResponse::kMostBytes);
  }
  check("countries.database", "[countries] database", loaded.config.countries.database, std::size_t{1} << 30);
  return findings.sorted();
}

}  // namespace gatehouse::config
