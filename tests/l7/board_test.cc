// The board: what supervisor and workers share in one file.
#include "l7/board.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace gatehouse::l7 {
namespace {

class BoardFile : public testing::Test {
 protected:
  std::unique_ptr<Board> open() {
    auto board = Board::open(file_);
    return board ? std::move(*board) : nullptr;
  }

  const test::TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/board";
};

TEST_F(BoardFile, BeginsWithNothing) {
  const auto board = open();
  ASSERT_TRUE(board);
  for (std::uint32_t i = 0; i < kMaxWorkers; ++i) EXPECT_EQ(board->worker(i).pid.load(), 0);
  struct stat info {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(BoardFile, OpenedAgainItHasWhatWasWritten) {
  {
    const auto board = open();
    board->worker(3).requests = 17;
    board->backend(5)->is_healthy = 0;
    board->backend(5)->failures = 4;
  }
  const auto board = open();
  ASSERT_TRUE(board);
  EXPECT_EQ(board->worker(3).requests.load(), 17u);
  EXPECT_EQ(board->backend(5)->is_healthy.load(), 0u);
  EXPECT_EQ(board->backend(5)->failures.load(), 4u);
}

TEST_F(BoardFile, OpenedTwiceItIsOne) {
  const auto supervisor = open(), worker = open();
  worker->backend(5)->in_flight[2] = 3;
  EXPECT_EQ(supervisor->backend(5)->in_flight[2].load(), 3u);
  supervisor->backend(5)->is_healthy = 0;
  EXPECT_EQ(worker->backend(5)->is_healthy.load(), 0u);
}

TEST_F(BoardFile, AFileOfAnotherLayoutIsReplaced) {
  for (const std::string& old : {std::string("short"), std::string(10'000'000, 'x')}) {
    std::ofstream(file_, std::ios::binary) << old;
    const auto board = open();
    ASSERT_TRUE(board);
    EXPECT_EQ(board->worker(0).pid.load(), 0);
    EXPECT_EQ(board->backend(9)->requests.load(), 0u);
  }
  const auto size = std::filesystem::file_size(file_);
  std::ofstream(file_, std::ios::binary) << std::string(size, '\xff');
  EXPECT_EQ(open()->worker(63).requests.load(), 0u) << "of the right size, but not one of ours";
}

TEST_F(BoardFile, WhereNoneCanBeTheErrorSaysSo) {
  const auto board = Board::open(folder_.path() + "/none/board");
  ASSERT_FALSE(board.has_value());
  EXPECT_NE(board.error().message.find("/none/board"), std::string::npos) << board.error().message;
}

TEST(Board, ABackendsCellIsTheSameForEver) {
  const auto board = Board::anonymous();
  BackendCell* first = board->backend(1);
  EXPECT_EQ(first->is_healthy.load(), 1u);
  BackendCell* second = board->backend(2);
  EXPECT_NE(first, second);
  EXPECT_EQ(board->backend(1), first);
  EXPECT_EQ(board->backend(2), second);
}

TEST(Board, AFullOneHasNoCellForMore) {
  const auto board = Board::anonymous();
  for (std::uint64_t key = 1; key <= kMaxBackends; ++key) ASSERT_TRUE(board->backend(key)) << key;
  EXPECT_EQ(board->backend(kMaxBackends + 1), nullptr);
  EXPECT_TRUE(board->backend(kMaxBackends)) << "those that are there are found";
  board->make_room_for_backends({7, kMaxBackends + 1});
  EXPECT_TRUE(board->backend(kMaxBackends + 1));
}

TEST(Board, MakingRoomFreesTheOthersAndTheirCounts) {
  const auto board = Board::anonymous();
  for (const std::uint64_t key : {1, 2, 3}) {
    board->backend(key)->requests = key;
    board->backend(key)->is_healthy = 0;
  }
  board->backend(2)->in_flight[0] = 9;
  BackendCell* kept = board->backend(2);
  for (std::uint64_t key = 4; key <= kMaxBackends; ++key) ASSERT_TRUE(board->backend(key)) << key;
  board->make_room_for_backends({2, kMaxBackends + 77});
  EXPECT_EQ(board->backend(2), kept);
  EXPECT_EQ(kept->requests.load(), 2u);
  EXPECT_EQ(kept->in_flight[0].load(), 9u);
  for (const std::uint64_t key : {1, 4}) {
    const BackendCell* cell = board->backend(key);
    EXPECT_EQ(cell->requests.load(), 0u) << key;
    EXPECT_EQ(cell->in_flight[0].load(), 0u) << key;
    EXPECT_EQ(cell->is_healthy.load(), 1u) << "a new one is healthy until told otherwise";
  }
}

TEST(Board, ABackendThatHasRequestsOrConnectionsIsNotFreed) {
  const auto board = Board::anonymous();
  for (std::uint64_t key = 1; key <= kMaxBackends; ++key) board->backend(key)->requests = key;
  board->backend(1)->in_flight[3] = 1;
  board->backend(2)->connections[4] = 1;
  board->make_room_for_backends({kMaxBackends + 1});
  EXPECT_EQ(board->backend(1)->requests.load(), 1u);
  EXPECT_EQ(board->backend(2)->requests.load(), 2u);
  EXPECT_EQ(board->backend(3)->requests.load(), 0u);
}

TEST(Board, ADeadWorkersPlacesAreCleared) {
  const auto board = Board::anonymous();
  WorkerCell& cell = board->worker(5);
  cell.pid = 100;
  cell.connections = 3;
  cell.requests = 4;
  cell.restarts = 2;
  board->backend(1)->in_flight[5] = 3;
  board->backend(1)->in_flight[6] = 1;
  board->clear_worker(5);
  EXPECT_EQ(cell.pid.load(), 0);
  EXPECT_EQ(cell.connections.load(), 0u);
  EXPECT_EQ(cell.requests.load(), 0u);
  EXPECT_EQ(cell.restarts.load(), 2u) << "which counts the deaths";
  EXPECT_EQ(board->backend(1)->in_flight[5].load(), 0u);
  EXPECT_EQ(board->backend(1)->in_flight[6].load(), 1u);
}

TEST(Board, WorkersThatAskAtOnceGetTheSameCell) {
  for (int round = 0; round < 50; ++round) {
    const auto board = Board::anonymous();
    std::atomic<int> ready = 0;
    std::array<BackendCell*, 2> cells{};
    const auto ask = [&](std::size_t place) {
      for (++ready; ready.load() < 2;) {
      }
      cells[place] = board->backend(42);
    };
    std::thread other(ask, 1);
    ask(0);
    other.join();
    ASSERT_EQ(cells[0], cells[1]) << "in round " << round;
  }
}

TEST(Board, KeysTellPoolsAddressesAndPortsApart) {
  const auto key = [](const char* pool, const char* address) {
    return backend_key(pool, *Endpoint::parse(address));
  };
  const std::uint64_t reference = key("main", "192.0.2.1:80");
  EXPECT_EQ(reference, key("main", "192.0.2.1:80"));
  for (const std::uint64_t other :
       {key("main2", "192.0.2.1:80"), key("main", "192.0.2.1:81"), key("main", "192.0.2.2:80"),
        key("main", "[2001:db8::1]:80"), key("", "192.0.2.1:80")}) {
    EXPECT_NE(other, reference);
    EXPECT_NE(other, 0u);
  }
}

}  // namespace
}  // namespace gatehouse::l7
