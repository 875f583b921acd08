// The order of a line, whatever comes and goes.
#include "l7/backend/waiting_line.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace gatehouse::l7 {
namespace {

class Line : public testing::Test {
 protected:
  void add(std::size_t index, PriorityClass priority) {
    tickets[index].priority = priority;
    line.add(tickets[index]);
  }
  // All that are left, in order, leave.
  std::vector<std::size_t> order() {
    std::vector<std::size_t> found;
    while (QueueTicket* front = line.front()) {
      found.push_back(static_cast<std::size_t>(front - tickets.data()));
      line.remove(*front);
    }
    return found;
  }

  std::array<QueueTicket, 6> tickets;
  WaitingLine line;
};

TEST_F(Line, DearerClassesComeFirstAndWithinOneWhoCameFirst) {
  add(0, PriorityClass::kSheddable);
  add(1, PriorityClass::kDefault);
  add(2, PriorityClass::kCritical);
  add(3, PriorityClass::kDefault);
  add(4, PriorityClass::kCritical);
  EXPECT_EQ(order(), (std::vector<std::size_t>{2, 4, 1, 3, 0}));
  EXPECT_TRUE(line.is_empty());
}

TEST_F(Line, AnyoneMayLeave) {
  for (std::size_t i = 0; i < 5; ++i) add(i, PriorityClass::kDefault);
  for (const std::size_t gone : {0, 2, 4}) line.remove(tickets[gone]);
  add(5, PriorityClass::kDefault);
  add(0, PriorityClass::kDefault);
  EXPECT_EQ(order(), (std::vector<std::size_t>{1, 3, 5, 0}));
}

TEST_F(Line, MakesRoomByTheCheapestThatCameLast) {
  EXPECT_EQ(line.last_below(PriorityClass::kCritical), nullptr);
  add(0, PriorityClass::kDefault);
  add(1, PriorityClass::kSheddable);
  add(2, PriorityClass::kSheddable);
  add(3, PriorityClass::kDefault);
  EXPECT_EQ(line.last_below(PriorityClass::kSheddable), nullptr);
  EXPECT_EQ(line.last_below(PriorityClass::kDefault), &tickets[2]);
  line.remove(tickets[2]);
  line.remove(tickets[1]);
  EXPECT_EQ(line.last_below(PriorityClass::kDefault), nullptr);
  EXPECT_EQ(line.last_below(PriorityClass::kCritical), &tickets[3]);
  order();
}

}  // namespace
}  // namespace gatehouse::l7
