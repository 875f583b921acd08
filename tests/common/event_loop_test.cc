// The event loop: deadlines are never early, and what a callback stops, cancels or defers is so in the same
// turn.
#include "common/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gatehouse {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  void fill() { EXPECT_EQ(write(writer.get(), "x", 1), 1); }
  Fd reader, writer;
};

// Counts its callbacks and does what the test wants in each.
struct Owner {
  void on_event(std::uint32_t happened) {
    ++count;
    events = happened;
    if (act) act();
  }
  void on_timer() {
    ++count;
    if (act) act();
  }
  int count = 0;
  std::uint32_t events = 0;
  std::function<void()> act;
};

// Turns until `is_done`, at most ten seconds: a hang becomes a failure.
template <typename Condition>
void turn_until(EventLoop& loop, Condition is_done) {
  const auto end = EventLoop::Clock::now() + 10s;
  while (!is_done() && EventLoop::Clock::now() < end) loop.turn(Duration(100));
  EXPECT_TRUE(is_done());
}

TEST(Timer, IsNeverEarlyAndSoonDue) {
  EventLoop loop;
  for (const int delay : {0, 1, 9, 10, 11, 37, 100}) {
    Owner owner;
    Timer timer;
    const auto armed = EventLoop::Clock::now();
    loop.turn(Duration(0));  // the loop's clock is now
    timer.arm<&Owner::on_timer>(loop, Duration(delay), &owner);
    EXPECT_TRUE(timer.is_armed());
    turn_until(loop, [&] { return owner.count > 0; });
    EXPECT_GE(EventLoop::Clock::now() - armed, Duration(delay)) << delay;
    EXPECT_FALSE(timer.is_armed());
    EXPECT_EQ(owner.count, 1);
  }
}

TEST(Timer, FiresOnceForEachArming) {
  EventLoop loop;
  Owner owner;
  Timer timer;
  owner.act = [&] {
    if (owner.count < 3) timer.arm<&Owner::on_timer>(loop, Duration(0), &owner);
  };
  timer.arm<&Owner::on_timer>(loop, Duration(0), &owner);
  turn_until(loop, [&] { return owner.count == 3; });
  for (int i = 0; i < 3; ++i) loop.turn(Duration(15));
  EXPECT_EQ(owner.count, 3);
}

TEST(Timer, ArmedAgainKeepsOnlyTheLaterDeadline) {
  EventLoop loop;
  Owner owner;
  Timer timer;
  loop.turn(Duration(0));
  const auto armed = loop.now();
  timer.arm<&Owner::on_timer>(loop, Duration(5), &owner);
  timer.arm<&Owner::on_timer>(loop, Duration(60), &owner);
  turn_until(loop, [&] { return owner.count > 0; });
  EXPECT_GE(loop.now() - armed, 60ms);
  EXPECT_EQ(owner.count, 1);
}

TEST(Timer, CancelledDoesNotFire) {
  EventLoop loop;
  Owner cancelled, destroyed, last;
  Timer timer, end;
  timer.arm<&Owner::on_timer>(loop, Duration(5), &cancelled);
  {
    Timer gone;
    gone.arm<&Owner::on_timer>(loop, Duration(5), &destroyed);
  }
  timer.cancel();
  timer.cancel();
  EXPECT_FALSE(timer.is_armed());
  end.arm<&Owner::on_timer>(loop, Duration(30), &last);
  turn_until(loop, [&] { return last.count > 0; });
  EXPECT_EQ(cancelled.count, 0);
  EXPECT_EQ(destroyed.count, 0);
}

// Whichever of many timers of one deadline fires first cancels or destroys all the others.
TEST(Timer, CancelledInACallbackOfTheSameTickDoesNotFire) {
  EventLoop loop;
  std::vector<std::unique_ptr<Timer>> timers(8);
  Owner owner;
  owner.act = [&] {
    for (std::size_t i = 0; i < timers.size(); ++i) {
      if (i % 2 != 0) timers[i].reset();
      if (timers[i]) timers[i]->cancel();
    }
  };
  for (auto& timer : timers) {
    timer = std::make_unique<Timer>();
    timer->arm<&Owner::on_timer>(loop, Duration(5), &owner);
  }
  turn_until(loop, [&] { return owner.count > 0; });
  for (int i = 0; i < 3; ++i) loop.turn(Duration(15));
  EXPECT_EQ(owner.count, 1);
}

TEST(Timer, ArmedForAnotherInACallbackWaitsForItsOwnDeadline) {
  EventLoop loop;
  Owner first, second;
  Timer timer, other;
  EventLoop::Clock::time_point armed;
  first.act = [&] {
    armed = loop.now();
    other.arm<&Owner::on_timer>(loop, Duration(0), &second);
  };
  timer.arm<&Owner::on_timer>(loop, Duration(0), &first);
  turn_until(loop, [&] { return first.count > 0; });
  EXPECT_EQ(second.count, 0) << "a turn must end";
  turn_until(loop, [&] { return second.count > 0; });
  EXPECT_GT(loop.now(), armed);
}

// The wheel has 512 slots of 10 ms: these share slots with one another, one round apart.
TEST(Timer, OfALaterRoundOfTheWheelWaits) {
  EventLoop loop;
  Owner near, far;
  Timer soon, late;
  late.arm<&Owner::on_timer>(loop, Duration(5120 + 20), &far);
  soon.arm<&Owner::on_timer>(loop, Duration(20), &near);
  turn_until(loop, [&] { return near.count > 0; });
  EXPECT_EQ(far.count, 0);
  EXPECT_TRUE(late.is_armed());
}

TEST(Timer, DueAllFireInOneTurnAfterALongOne) {
  EventLoop loop;
  std::vector<Owner> owners(20);
  std::vector<Timer> timers(20);
  for (std::size_t i = 0; i < timers.size(); ++i) {
    timers[i].arm<&Owner::on_timer>(loop, Duration(static_cast<int>(i) * 3), &owners[i]);
  }
  const auto due = EventLoop::Clock::now() + 80ms;
  while (EventLoop::Clock::now() < due) {
  }
  loop.turn(Duration(0));
  for (const Owner& owner : owners) EXPECT_EQ(owner.count, 1);
}

TEST(EventLoop, WaitsNoLongerThanItMay) {
  EventLoop loop;
  const auto start = EventLoop::Clock::now();
  loop.turn(Duration(0));
  loop.turn(Duration(5));
  EXPECT_LT(EventLoop::Clock::now() - start, 5s);
  EXPECT_GE(loop.now(), start);
}

TEST(EventLoop, ItsClockStandsStillWithinATurn) {
  EventLoop loop;
  Pipe pipe;
  Owner owner;
  Watch watch;
  bool is_still = false;
  owner.act = [&] {
    const auto before = loop.now();
    while (EventLoop::Clock::now() - before < 2ms) {
    }
    is_still = loop.now() == before;
  };
  watch.start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &owner);
  pipe.fill();
  loop.turn(Duration(1000));
  EXPECT_TRUE(is_still);
}

TEST(Watch, CallsOncePerEdge) {
  EventLoop loop;
  Pipe pipe;
  Owner owner;
  Watch watch;
  watch.start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &owner);
  EXPECT_TRUE(watch.is_active());
  pipe.fill();
  loop.turn(Duration(1000));
  EXPECT_EQ(owner.count, 1);
  EXPECT_TRUE(owner.events & EPOLLIN);
  loop.turn(Duration(0));
  EXPECT_EQ(owner.count, 1);
  pipe.fill();
  loop.turn(Duration(1000));
  EXPECT_EQ(owner.count, 2);
  pipe.writer.reset();
  loop.turn(Duration(1000));
  EXPECT_TRUE(owner.events & EPOLLHUP);
}

TEST(Watch, ChangesWhatItWaitsFor) {
  EventLoop loop;
  Pipe pipe;
  Owner owner;
  Watch watch;
  watch.start<&Owner::on_event>(loop, pipe.writer.get(), 0, &owner);
  loop.turn(Duration(0));
  EXPECT_EQ(owner.count, 0);
  watch.change(EPOLLOUT);
  loop.turn(Duration(1000));
  EXPECT_EQ(owner.count, 1);
  watch.change(0);
  loop.turn(Duration(0));
  EXPECT_EQ(owner.count, 1);
}

TEST(Watch, StoppedCanBeStartedAgain) {
  EventLoop loop;
  Pipe pipe;
  Owner owner;
  Watch watch;
  watch.stop();
  watch.start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &owner);
  watch.stop();
  watch.stop();
  EXPECT_FALSE(watch.is_active());
  pipe.fill();
  loop.turn(Duration(0));
  EXPECT_EQ(owner.count, 0);
  watch.start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &owner);
  loop.turn(Duration(1000));
  EXPECT_EQ(owner.count, 1);
}

// All are ready in one turn; whichever is called first stops or destroys the others.
TEST(Watch, StoppedInTheSameTurnIsNotCalled) {
  EventLoop loop;
  std::vector<Pipe> pipes(6);
  std::vector<std::unique_ptr<Watch>> watches(pipes.size());
  Owner owner;
  owner.act = [&] {
    for (std::size_t i = 0; i < watches.size(); ++i) {
      if (i % 2 != 0) watches[i].reset();
      if (watches[i]) watches[i]->stop();
    }
  };
  for (std::size_t i = 0; i < watches.size(); ++i) {
    watches[i] = std::make_unique<Watch>();
    watches[i]->start<&Owner::on_event>(loop, pipes[i].reader.get(), EventLoop::kEdge, &owner);
    pipes[i].fill();
  }
  loop.turn(Duration(1000));
  EXPECT_EQ(owner.count, 1);
  loop.turn(Duration(0));
  EXPECT_EQ(owner.count, 1);
}

TEST(Watch, MayCancelATimerThatIsDueInTheSameTurn) {
  EventLoop loop;
  Pipe pipe;
  Owner event, deadline;
  Watch watch;
  Timer timer;
  event.act = [&] { timer.cancel(); };
  watch.start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &event);
  timer.arm<&Owner::on_timer>(loop, Duration(0), &deadline);
  const auto due = EventLoop::Clock::now() + 30ms;
  while (EventLoop::Clock::now() < due) {
  }
  pipe.fill();
  loop.turn(Duration(1000));
  EXPECT_EQ(event.count, 1);
  EXPECT_EQ(deadline.count, 0);
}

TEST(EventLoop, RunsDeferredTasksAtTheEndOfTheTurn) {
  EventLoop loop;
  Pipe pipe;
  auto watch = std::make_unique<Watch>();
  std::vector<std::string> order;
  Owner owner;
  owner.act = [&] {
    loop.defer([&] {
      watch.reset();
      order.push_back("deferred");
    });
    order.push_back("callback");
  };
  watch->start<&Owner::on_event>(loop, pipe.reader.get(), EventLoop::kEdge, &owner);
  pipe.fill();
  loop.turn(Duration(1000));
  EXPECT_EQ(order, (std::vector<std::string>{"callback", "deferred"}));
}

TEST(EventLoop, KeepsWhatADeferredTaskDefersForTheNextTurn) {
  EventLoop loop;
  int outer = 0, inner = 0;
  loop.defer([&] {
    ++outer;
    loop.defer([&] { ++inner; });
  });
  loop.turn(Duration(60'000));  // does not wait: there is a task
  EXPECT_EQ(outer, 1);
  EXPECT_EQ(inner, 0);
  loop.turn(Duration(60'000));
  EXPECT_EQ(outer, 1);
  EXPECT_EQ(inner, 1);
}

TEST(Deferred, RunsOnceAndAgainWhenItIsArmedAgain) {
  EventLoop loop;
  Owner owner;
  Deferred task;
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 5; ++i) task.arm<&Owner::on_timer>(loop, &owner);
    loop.turn(Duration(60'000));
    EXPECT_EQ(owner.count, round);
  }
}

TEST(Deferred, DoesNotOutliveWhoArmedItNorRunWhenItIsCancelled) {
  EventLoop loop;
  Owner owner;
  auto task = std::make_unique<Deferred>();
  task->arm<&Owner::on_timer>(loop, &owner);
  task->cancel();
  loop.turn(Duration(60'000));
  EXPECT_EQ(owner.count, 0);
  task->arm<&Owner::on_timer>(loop, &owner);
  task->cancel();
  task->arm<&Owner::on_timer>(loop, &owner);
  loop.turn(Duration(60'000));
  EXPECT_EQ(owner.count, 1);
  task->arm<&Owner::on_timer>(loop, &owner);
  task.reset();
  loop.turn(Duration(60'000));
  EXPECT_EQ(owner.count, 1);
}

TEST(EventLoop, RunsUntilItIsStopped) {
  EventLoop loop;
  Owner owner;
  Timer timer;
  for (int round = 1; round <= 2; ++round) {
    owner.act = [&] { loop.stop(); };
    timer.arm<&Owner::on_timer>(loop, Duration(1), &owner);
    loop.run();
    EXPECT_EQ(owner.count, round);
  }
}

}  // namespace
}  // namespace gatehouse
