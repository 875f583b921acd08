// A worker process from exec to exit: opens the board, dials its supervisor, gives up all privileges, serves what it is
// sent. It outlives the supervisor and dials the next one.
#pragma once

#include <cstdint>
#include <string>

namespace gatehouse::l7 {

struct WorkerMainOptions {
  std::uint32_t index = 0;
  std::string state_folder;
  std::string user;
  std::string node;
};

int worker_main(const WorkerMainOptions& options);

}  // namespace gatehouse::l7
