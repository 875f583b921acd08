#include "l7/tls/crypto_memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kStep = 16;
constexpr std::size_t kFineClasses =
    16;  // multiples of 16 up to 256; then four sizes per doubling up to 32 KiB
constexpr std::size_t kLargest = 32 * 1024;
constexpr std::uint32_t kLarge = ~0u;
constexpr std::uint32_t kMagic = 0x6768736c;

SlabHeap& heap() {
  static SlabHeap heap;
  return heap;
}

}  // namespace

// At the beginning of its bytes, which are aligned to their size: an object's slab is found by its address.
struct alignas(64) SlabHeap::Slab {
  struct Free {
    Free* next;
  };
  std::uint32_t magic;
  std::uint32_t size_class;  // kLarge: one object of `bytes`
  std::size_t bytes;         // of an object
  Slab* next;
  Slab* previous;
  Free* free;
  std::uint32_t live;
  std::uint32_t untouched;  // where objects begin that never were

  bool is_full() const { return !free && untouched + bytes > kSlabBytes; }
};

std::size_t SlabHeap::class_of(std::size_t size) {
  if (size <= kFineClasses * kStep) return size ? (size - 1) / kStep : 0;
  const auto power = static_cast<std::size_t>(std::bit_width(size - 1)) - 1;  // 2^power < size <= 2^(power+1)
  const std::size_t quarter = (size - 1 - (std::size_t{1} << power)) >> (power - 2);
  return kFineClasses + (power - 8) * 4 + quarter;
}

std::size_t SlabHeap::size_of(std::size_t size_class) {
  if (size_class < kFineClasses) return (size_class + 1) * kStep;
  const std::size_t power = 8 + (size_class - kFineClasses) / 4, quarter = (size_class - kFineClasses) % 4;
  return (std::size_t{1} << power) + ((quarter + 1) << (power - 2));
}

SlabHeap::Slab* SlabHeap::slab_of(void* object) {
  auto* slab = reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(object) & ~(kSlabBytes - 1));
  GH_CHECK(slab->magic == kMagic);
  return slab;
}

SlabHeap::~SlabHeap() {
  while (spare_) std::free(std::exchange(spare_, spare_->next));
}

void* SlabHeap::take(std::size_t size) {
  if (size > kLargest) return take_large(size);
  const std::size_t size_class = class_of(size);
  Slab* slab = with_room_[size_class] ? with_room_[size_class] : new_slab(size_class);
  if (!slab) return nullptr;
  void* object = slab->free;
  if (object) {
    slab->free = slab->free->next;
  } else {
    object = reinterpret_cast<char*>(slab) + slab->untouched;
    slab->untouched += static_cast<std::uint32_t>(slab->bytes);
  }
  ++slab->live;
  if (slab->is_full()) unlink(slab);
  return object;
}

void SlabHeap::give(void* object) {
  if (!object) return;
  Slab* slab = slab_of(object);
  if (slab->size_class == kLarge) {
    --slabs_;
    return std::free(slab);
  }
  const bool was_full = slab->is_full();
  auto* freed = static_cast<Slab::Free*>(object);
  freed->next = slab->free;
  slab->free = freed;
  if (was_full) link(slab);
  if (--slab->live == 0) retire(slab);
}

void* SlabHeap::resize(void* object, std::size_t size) {
  if (!object) return take(size);
  const std::size_t have = slab_of(object)->bytes;
  if (size <= have && (size > have / 2 || have <= kStep)) return object;
  void* moved = take(size);
  if (!moved) return nullptr;
  std::memcpy(moved, object, std::min(have, size));
  give(object);
  return moved;
}

SlabHeap::Slab* SlabHeap::new_slab(std::size_t size_class) {
  Slab* slab = spare_;
  if (slab) {
    spare_ = slab->next;
    --spares_;
  } else {
    slab = static_cast<Slab*>(std::aligned_alloc(kSlabBytes, kSlabBytes));
    if (!slab) return nullptr;
  }
  *slab = {
      kMagic,      static_cast<std::uint32_t>(size_class), size_of(size_class), nullptr, nullptr, nullptr, 0,
      sizeof(Slab)};
  ++slabs_;
  link(slab);
  return slab;
}

void* SlabHeap::take_large(std::size_t size) {
  const std::size_t bytes = (sizeof(Slab) + size + kSlabBytes - 1) & ~(kSlabBytes - 1);
  auto* slab = bytes > size ? static_cast<Slab*>(std::aligned_alloc(kSlabBytes, bytes)) : nullptr;
  if (!slab) return nullptr;
  *slab = {kMagic, kLarge, bytes - sizeof(Slab), nullptr, nullptr, nullptr, 1, 0};
  ++slabs_;
  return slab + 1;
}

void SlabHeap::link(Slab* slab) {
  Slab*& head = with_room_[slab->size_class];
  slab->previous = nullptr;
  slab->next = head;
  if (head) head->previous = slab;
  head = slab;
}

void SlabHeap::unlink(Slab* slab) {
  (slab->previous ? slab->previous->next : with_room_[slab->size_class]) = slab->next;
  if (slab->next) slab->next->previous = slab->previous;
}

// The last one with room stays, or a connection alone would make and drop it all the time.
void SlabHeap::retire(Slab* slab) {
  if (with_room_[slab->size_class] == slab && !slab->next) return;
  unlink(slab);
  --slabs_;
  if (spares_ == kMostSpare) return std::free(slab);
  slab->next = spare_;
  spare_ = slab;
  ++spares_;
}

bool use_crypto_memory() {
#ifdef __SANITIZE_ADDRESS__
  return false;
#else
  return CRYPTO_set_mem_functions(
             [](std::size_t size, const char*, int) { return heap().take(size); },
             [](void* object, std::size_t size, const char*, int) { return heap().resize(object, size); },
             [](void* object, const char*, int) { heap().give(object); }) == 1;
#endif
}

}  // namespace gatehouse::l7
