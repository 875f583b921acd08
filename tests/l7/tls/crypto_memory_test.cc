// Objects of all sizes are where nobody else writes, keep their bytes when they grow, and leave nothing
// behind.
#include "l7/tls/crypto_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace gatehouse::l7 {
namespace {

TEST(SlabHeap, ObjectsOfEverySizeHaveTheirRoom) {
  SlabHeap heap;
  std::vector<char*> objects;
  for (std::size_t size = 0; size <= 40'000; size += size < 600 ? 1 : 97) {
    auto* object = static_cast<char*>(heap.take(size));
    ASSERT_TRUE(object);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object) % 16, 0u);
    std::memset(object, static_cast<int>(size), size);
    objects.push_back(object);
  }
  std::size_t i = 0;
  for (std::size_t size = 0; size <= 40'000; size += size < 600 ? 1 : 97, ++i) {
    for (std::size_t at = 0; at < size; ++at) ASSERT_EQ(objects[i][at], static_cast<char>(size)) << size;
    heap.give(objects[i]);
  }
}

TEST(SlabHeap, WhatIsGivenBackIsUsedAgain) {
  SlabHeap heap;
  std::vector<void*> objects;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10'000; ++i) objects.push_back(heap.take(static_cast<std::size_t>(i % 2'000)));
    const std::size_t most = heap.slabs();
    while (!objects.empty()) {
      heap.give(objects.back());
      objects.pop_back();
    }
    EXPECT_LE(heap.slabs(), 44u) << "one per size at most";
    EXPECT_GT(most, 100u);
  }
}

// What a long-lived object costs beside many that were dropped: its own size, not theirs.
TEST(SlabHeap, WhatIsKeptDoesNotPinWhatWasDropped) {
  SlabHeap heap;
  std::vector<void*> kept, dropped;
  for (int i = 0; i < 1'000; ++i) {
    kept.push_back(heap.take(100));
    for (int j = 0; j < 20; ++j) dropped.push_back(heap.take(1'000));
    while (!dropped.empty()) {
      heap.give(dropped.back());
      dropped.pop_back();
    }
  }
  EXPECT_LE(heap.slabs(), 1'000 * 112 / 65'000 + 2u);
  for (void* object : kept) heap.give(object);
}

TEST(SlabHeap, RandomLifeLeavesEveryByteInPlace) {
  std::mt19937 random(7);
  SlabHeap heap;
  struct Object {
    unsigned char* bytes;
    std::size_t size;
    unsigned char mark;
  };
  std::vector<Object> objects;
  for (int i = 0; i < 200'000; ++i) {
    const std::size_t size = random() % (random() % 10 ? 600 : 80'000);
    const auto mark = static_cast<unsigned char>(random());
    const std::size_t at = objects.empty() ? 0 : random() % objects.size();
    if (objects.size() < 300) {
      objects.push_back({static_cast<unsigned char*>(heap.take(size)), size, mark});
      std::memset(objects.back().bytes, mark, size);
    } else if (random() % 2) {
      Object& object = objects[at];
      const std::size_t common = std::min(size, object.size);
      object.bytes = static_cast<unsigned char*>(heap.resize(object.bytes, size));
      for (std::size_t byte = 0; byte < common; byte += 61) ASSERT_EQ(object.bytes[byte], object.mark);
      object.size = size;
      object.mark = mark;
      std::memset(object.bytes, mark, size);
    } else {
      for (std::size_t byte = 0; byte < objects[at].size; byte += 61)
        ASSERT_EQ(objects[at].bytes[byte], objects[at].mark);
      heap.give(objects[at].bytes);
      objects[at] = objects.back();
      objects.pop_back();
    }
  }
  for (const Object& object : objects) heap.give(object.bytes);
  EXPECT_LE(heap.slabs(), 44u);
}

TEST(SlabHeap, NothingIsHarmless) {
  SlabHeap heap;
  heap.give(nullptr);
  void* object = heap.resize(nullptr, 10);
  EXPECT_TRUE(object);
  heap.give(object);
  EXPECT_EQ(heap.take(~std::size_t{0}), nullptr);
}

}  // namespace
}  // namespace gatehouse::l7
