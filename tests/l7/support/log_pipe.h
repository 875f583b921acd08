// The pipe that stands for an access log's file, and the lines that were written to it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/fd.h"
#include "common/json_fields.h"

namespace gatehouse::test {

struct LogPipe {
  LogPipe() {
    int ends[2];
    GH_CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    reading = Fd(ends[0]);
    writing = Fd(ends[1]);
  }
  std::vector<nlohmann::json> lines() {
    std::string text(64 * 1024, '\0');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(read(reading.get(), text.data(), text.size()), 0)));
    EXPECT_TRUE(text.empty() || text.back() == '\n');
    std::istringstream stream(text);
    std::vector<nlohmann::json> found;
    for (std::string line; std::getline(stream, line);)
      found.push_back(parse_json(line));
    return found;
  }
  Fd reading;
  Fd writing;
};

}  // namespace gatehouse::test
