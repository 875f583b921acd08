#include "l7/tls/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>

#include "common/certificate.h"
#include "common/check.h"

namespace gatehouse::l7 {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// Texts with their length in front.
class Writer {
 public:
  void add(std::string_view text) {
    add(text.size());
    bytes_ += text;
  }
  void add(std::uint64_t number) { bytes_.append(reinterpret_cast<const char*>(&number), sizeof number); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value;
    GH_CHECK(rest_.size() >= sizeof value);
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    GH_CHECK(size <= rest_.size());
    const std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

 private:
  std::string_view rest_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

const TlsFile* TlsFiles::find(std::string_view file) const {
  const auto found = files_.find(file);
  return found == files_.end() ? nullptr : &found->second;
}

std::string_view TlsFiles::text_of(std::string_view file) const {
  const TlsFile* found = find(file);
  return found ? std::string_view(found->text) : std::string_view();
}

void TlsFiles::put(const std::string& file, TlsFile content) {
  TlsFile& place = files_[file];
  if (place.text != content.text || place.key_type.empty()) place = std::move(content);
}

void TlsFiles::put_all(TlsFiles others) {
  for (auto& [file, content] : others.files_) put(file, std::move(content));
}

Result<Fd> TlsFiles::to_memory() const {
  Writer writer;
  writer.add(files_.size());
  for (const auto& [file, content] : files_) {
    writer.add(file);
    writer.add(content.text);
    writer.add(content.key_type);
    writer.add(static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(content.expiry)));
    writer.add(content.names.size());
    for (const std::string& name : content.names) writer.add(name);
  }
  Fd memory(memfd_create("gatehouse-tls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.is_open() || !write_all(memory.get(), writer.bytes()) ||
      fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    return system_error("cannot hand certificates to workers");
  }
  return memory;
}

TlsFiles TlsFiles::from_memory(const Fd& memory) {
  struct stat info {};
  GH_CHECK(fstat(memory.get(), &info) == 0 && info.st_size > 0);
  const auto size = static_cast<std::size_t>(info.st_size);
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, memory.get(), 0);
  GH_CHECK(bytes != MAP_FAILED);
  Reader reader({static_cast<const char*>(bytes), size});
  TlsFiles files;
  for (std::uint64_t count = reader.number(); count > 0; --count) {
    TlsFile& file = files.files_[reader.text()];
    file.text = reader.text();
    file.key_type = reader.text();
    file.expiry = std::chrono::system_clock::from_time_t(static_cast<std::time_t>(reader.number()));
    for (std::uint64_t names = reader.number(); names > 0; --names) file.names.push_back(reader.text());
  }
  munmap(bytes, size);
  return files;
}

TlsFile describe_chain(std::string text) {
  TlsFile file;
  if (const auto chain = read_chain(text)) {
    file.names = names_of(chain->leaf.get());
    file.key_type = key_type_of(chain->leaf.get());
    file.expiry = expiry_of(*chain);
  }
  file.text = std::move(text);
  return file;
}

}  // namespace gatehouse::l7
