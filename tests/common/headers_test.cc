// Every header is self-contained: alone, it compiles. Of most the build has shown it, because their source includes them
// before anything else; a compiler for each of the others takes seconds, for all of them minutes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/source_tree.h"

namespace gatehouse::test {
namespace {

// Compiles `header` as the first and only include of a translation unit.
std::string compile_command(const std::filesystem::path& header) {
  return "echo '#include \"" + header.string() + "\"' | c++ -std=gnu++20 -fsyntax-only -fno-exceptions -w -x c++ " +
         "-DJSON_NOEXCEPTION -DSPDLOG_NO_EXCEPTIONS -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DTOML_EXCEPTIONS=0 " +
         "-DGATEHOUSE_SOURCE_DIR='\"\"' -I'" + kSourceRoot.string() + "' -I'" GATEHOUSE_BINARY_DIR "/skeletons' -";
}

bool is_first_in_its_source(const std::filesystem::path& header) {
  std::ifstream source((kSourceRoot / header).replace_extension(".cc"));
  std::string line;
  while (std::getline(source, line) && !line.starts_with("#include")) continue;
  return line == "#include \"" + header.string() + "\"";
}

class Headers : public testing::TestWithParam<const char*> {};

TEST_P(Headers, CompileAlone) {
  for (const auto& header : files_below(GetParam(), {".h"})) {
    // hooks.h declares what an adapter defines before it includes the core; the core's headers follow it.
    if (header.string().starts_with("bpf/") && header.filename() != "abi.h" && header.filename() != "wire.h") continue;
    if (is_first_in_its_source(header)) continue;
    EXPECT_EQ(std::system(compile_command(header).c_str()), 0) << header;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, Headers,
                         testing::Values("bpf", "common", "l4", "l7", "tests/support", "tests/lab"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) if (c == '/') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace gatehouse::test
