// OpenSSL's memory in a worker: a handshake makes and drops some six hundred small objects, of which a
// connection keeps sixty for its life. Objects of one size lie together in slabs, so that what is kept does
// not pin what was dropped, and taking and giving is a few instructions. One thread only; never used in the
// supervisor.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gatehouse::l7 {

// Before OpenSSL has allocated anything. False: it is too late, or a sanitizer wants to see every object.
bool use_crypto_memory();

class SlabHeap {
 public:
  SlabHeap() = default;
  SlabHeap(const SlabHeap&) = delete;
  ~SlabHeap();

  void* take(std::size_t size);  // nullptr: there is no more; 16-byte aligned
  void give(void* object);       // harmless for nullptr
  void* resize(void* object, std::size_t size);

  std::size_t slabs() const { return slabs_; }  // that hold objects

 private:
  struct Slab;
  static constexpr std::size_t kSlabBytes = 64 * 1024;
  static constexpr std::size_t kClasses = 44;
  static constexpr std::size_t kMostSpare = 32;

  static std::size_t class_of(std::size_t size);
  static std::size_t size_of(std::size_t size_class);
  static Slab* slab_of(void* object);
  Slab* new_slab(std::size_t size_class);
  void link(Slab* slab);
  void unlink(Slab* slab);
  void retire(Slab* slab);
  void* take_large(std::size_t size);

  Slab* with_room_[kClasses] = {};
  Slab* spare_ = nullptr;  // empty ones, kept for reuse
  std::size_t spares_ = 0;
  std::size_t slabs_ = 0;
};

}  // namespace gatehouse::l7
