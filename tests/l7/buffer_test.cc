// The byte queue: what goes in comes out, in blocks that are taken only while there is content.
#include "l7/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kSmall = BufferPool::kSmall, kLarge = BufferPool::kLarge;

TEST(Buffer, AnEmptyOneHasNoBlock) {
  BufferPool pool;
  Buffer buffer(pool);
  EXPECT_TRUE(buffer.is_empty());
  EXPECT_EQ(buffer.view(), "");
  EXPECT_EQ(buffer.append("bytes"), 5u);
  buffer.consume(5);
  EXPECT_TRUE(buffer.is_empty());
  // The block went back: another buffer gets it.
  char* block = pool.take(kSmall);
  pool.give(block, kSmall);
  Buffer other(pool);
  other.room();
  EXPECT_EQ(other.tail(), block);
}

TEST(Buffer, TakesAsMuchAsFits) {
  BufferPool pool;
  Buffer buffer(pool);
  const std::string bytes(kSmall + 1, 'x');
  EXPECT_EQ(buffer.append(bytes), kSmall);
  EXPECT_EQ(buffer.room(), 0u);
  EXPECT_EQ(buffer.append("y"), 0u);
  EXPECT_TRUE(buffer.grow());
  EXPECT_EQ(buffer.room(), kLarge - kSmall);
  EXPECT_EQ(buffer.view(), std::string_view(bytes).substr(1));
  EXPECT_FALSE(buffer.grow()) << "it is large already";
}

TEST(Buffer, GrowsWithItsContentAfterSomeWasConsumed) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("gone, stays");
  buffer.consume(6);
  ASSERT_TRUE(buffer.grow());
  EXPECT_EQ(buffer.view(), "stays");
  EXPECT_EQ(buffer.room(), kLarge - 5);
}

TEST(Buffer, MakesRoomByMovingWhatIsLeft) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append(std::string(kSmall - 3, 'x') + "end");
  buffer.consume(kSmall - 3);
  EXPECT_EQ(buffer.room(), kSmall - 3);
  EXPECT_EQ(buffer.view(), "end");
}

TEST(Buffer, TheNextBlockIsLargeWhenThatIsPreferred) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.prefer_large(true);
  EXPECT_EQ(buffer.room(), kLarge);
  buffer.append("x");
  buffer.prefer_large(false);
  EXPECT_EQ(buffer.room(), kLarge - 1) << "the one it has stays";
  buffer.consume(1);
  EXPECT_EQ(buffer.room(), kSmall);
}

TEST(Buffer, ReleaseDropsTheContent) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("bytes");
  buffer.release();
  EXPECT_TRUE(buffer.is_empty());
  buffer.release();
  EXPECT_EQ(buffer.append("again"), 5u);
  EXPECT_EQ(buffer.view(), "again");
}

TEST(Buffer, AnyOrderOfUseIsAQueue) {
  BufferPool pool;
  Buffer buffer(pool);
  std::string expected;
  std::mt19937 random(7);
  std::uint8_t next = 0;
  for (int i = 0; i < 20'000; ++i) {
    switch (random() % 8) {
      case 0:
        buffer.prefer_large(random() % 2);
        break;
      case 1:
        if (random() % 50 == 0) buffer.grow();
        break;
      case 2:
      case 3: {
        const std::size_t count = random() % (buffer.size() + 1);
        buffer.consume(count);
        expected.erase(0, count);
        break;
      }
      case 4: {
        const std::size_t room = buffer.room();
        const std::size_t count = room ? random() % room : 0;
        std::memset(buffer.tail(), 'm', count);
        buffer.commit(count);
        expected.append(count, 'm');
        break;
      }
      default: {
        std::string bytes(random() % 3'000, '\0');
        for (char& byte : bytes) byte = static_cast<char>(next++);
        expected += bytes.substr(0, buffer.append(bytes));
      }
    }
    ASSERT_EQ(buffer.view(), expected) << "after " << i;
  }
}

}  // namespace
}  // namespace gatehouse::l7
