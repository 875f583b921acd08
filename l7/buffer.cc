#include "l7/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "common/check.h"

namespace gatehouse::l7 {

BufferPool::~BufferPool() {
  for (char* block : small_) std::free(block);
  for (char* block : large_) std::free(block);
}

char* BufferPool::take(std::size_t size) {
  lent_bytes_ += size;
  std::vector<char*>& list = free_list(size);
  if (list.empty()) {
    char* block = static_cast<char*>(std::malloc(size));
    GH_CHECK(block);
    return block;
  }
  char* block = list.back();
  list.pop_back();
  return block;
}

void BufferPool::give(char* block, std::size_t size) {
  lent_bytes_ -= size;
  std::vector<char*>& list = free_list(size);
  if (list.size() < (size == kSmall ? kMostSmall : kMostLarge)) {
    list.push_back(block);
  } else {
    std::free(block);
  }
}

std::size_t Buffer::room() {
  if (!block_) {
    capacity_ = prefers_large_ ? BufferPool::kLarge : BufferPool::kSmall;
    block_ = pool_->take(capacity_);
  }
  if (begin_ > 0 && capacity_ - end_ < capacity_ / 4) {
    std::memmove(block_, block_ + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  return capacity_ - end_;
}

void Buffer::consume(std::size_t bytes) {
  GH_CHECK(bytes <= size());
  begin_ += bytes;
  if (is_empty()) release();
}

std::size_t Buffer::append(std::string_view bytes) {
  const std::size_t count = std::min(bytes.size(), room());
  std::memcpy(tail(), bytes.data(), count);
  commit(count);
  return count;
}

bool Buffer::grow() {
  if (capacity_ == BufferPool::kLarge) return false;
  char* larger = pool_->take(BufferPool::kLarge);
  const std::size_t content = size();
  if (block_) {
    std::memcpy(larger, block_ + begin_, content);
    pool_->give(block_, capacity_);
  }
  block_ = larger;
  capacity_ = BufferPool::kLarge;
  begin_ = 0;
  end_ = content;
  return true;
}

void Buffer::release() {
  if (block_) pool_->give(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace gatehouse::l7
