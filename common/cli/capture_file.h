// The result of "capture" as a pcapng file.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse::cli {

struct CaptureFile {
  std::string text;
  std::size_t packets = 0;
};

// A packet is in the file twice: as it came, with its verdict as comment, and, when it was sent, as it left.
CaptureFile capture_file(const nlohmann::json& result);

}  // namespace gatehouse::cli
