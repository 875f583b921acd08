// The project's own sources, for the tests that hold the tree to its rules (layout, size, layering).
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace gatehouse::test {

inline const std::filesystem::path kSourceRoot = GATEHOUSE_SOURCE_DIR;

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Every file below `folder` with one of `endings`, relative to the root.
inline std::vector<std::filesystem::path> files_below(const std::string& folder,
                                                      const std::vector<std::string>& endings) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kSourceRoot / folder)) {
    const std::string ending = entry.path().extension().string();
    for (const std::string& wanted : endings) {
      if (entry.is_regular_file() && ending == wanted) {
        found.push_back(std::filesystem::relative(entry.path(), kSourceRoot));
      }
    }
  }
  return found;
}

// The project-relative paths that `file` includes with quotes.
inline std::vector<std::string> includes_of(const std::filesystem::path& file) {
  std::vector<std::string> includes;
  std::istringstream lines(read_text(kSourceRoot / file));
  const std::string start = "#include \"";
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(start)) continue;
    const std::size_t end = line.find('"', start.size());
    if (end != std::string::npos) includes.push_back(line.substr(start.size(), end - start.size()));
  }
  return includes;
}

}  // namespace gatehouse::test
