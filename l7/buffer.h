// Byte queues in pooled blocks: contiguous, so that a head is parsed where it was received. An empty buffer holds no
// block, so an idle connection costs none. Blocks are small until a body or a long head asks for a large one; what a
// buffer cannot hold stays in the socket, which is all the back-pressure there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gatehouse::l7 {

class BufferPool {
 public:
  static constexpr std::size_t kSmall = 16 * 1024;
  static constexpr std::size_t kLarge = 128 * 1024;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  ~BufferPool();

  char* take(std::size_t size);
  void give(char* block, std::size_t size);
  std::uint64_t lent_bytes() const { return lent_bytes_; }

 private:
  static constexpr std::size_t kMostSmall = 64;  // kept for reuse
  static constexpr std::size_t kMostLarge = 4;
  std::vector<char*>& free_list(std::size_t size) { return size == kSmall ? small_ : large_; }
  std::vector<char*> small_;
  std::vector<char*> large_;
  std::uint64_t lent_bytes_ = 0;
};

class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(&pool) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  std::string_view view() const { return {block_ + begin_, end_ - begin_}; }
  bool is_empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  // Bytes that can be written at tail(); takes a block when there is none, moves the content when that helps.
  std::size_t room();
  char* tail() { return block_ + end_; }
  void commit(std::size_t bytes) { end_ += bytes; }
  // Views into the buffer are void after it.
  void consume(std::size_t bytes);
  std::size_t append(std::string_view bytes);  // as much as fits
  // The large block, keeping the content. False when it is large already.
  bool grow();
  void release();                              // drops the content
  // The block taken next is a large one: for bodies that turned out to be long.
  void prefer_large(bool is_preferred) { prefers_large_ = is_preferred; }

 private:
  BufferPool* pool_;
  char* block_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool prefers_large_ = false;
};

}  // namespace gatehouse::l7
