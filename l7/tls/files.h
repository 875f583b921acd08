// The files that a config names for workers, as texts: of TLS certificates, keys, authorities, revocation lists, OCSP
// responses; bodies of responses; the table of countries. The supervisor reads them and hands them to the workers in memory (a sealed memfd that no path
// leads to), because workers may not read keys. What a worker needs to know of a chain before it is used
// comes along: understanding thousands of certificates takes OpenSSL seconds.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::l7 {

struct TlsFile {
  std::string text;
  std::vector<std::string> names;                  // of a certificate chain: lower case, "*.example" as it is
  std::string key_type;                            // of a certificate chain
  std::chrono::system_clock::time_point expiry{};  // of a certificate chain
  // Of the bytes on disk that `text` was made of, where it is not them; for who reads them, not for workers.
  std::string source_digest;
  bool operator==(const TlsFile&) const = default;
};

class TlsFiles {
 public:
  // nullptr: not there.
  const TlsFile* find(std::string_view file) const;
  // Empty when `file` is.
  std::string_view text_of(std::string_view file) const;
  // What is known of a text as a chain stays known when it is put again for another purpose.
  void put(const std::string& file, TlsFile content);
  void put_all(TlsFiles others);
  std::size_t size() const { return files_.size(); }
  bool operator==(const TlsFiles&) const = default;

  // Written, sealed, readable by whoever has the descriptor.
  Result<Fd> to_memory() const;
  // The supervisor wrote it: what is malformed is a broken invariant.
  static TlsFiles from_memory(const Fd& memory);

 private:
  std::map<std::string, TlsFile, std::less<>> files_;
};

// Names of a chain's leaf, which are empty when it is unusable.
TlsFile describe_chain(std::string text);

}  // namespace gatehouse::l7
