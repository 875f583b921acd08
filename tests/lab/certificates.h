// The site's small certificate authority: ECDSA P-256, made new for every lab. Each host gets a control
// certificate whose common name is the host's name; server certificates carry the host names that clients ask
// for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace gatehouse::lab {

struct CertificateFiles {
  std::string chain;  // path to write
  std::string key;    // path to write, mode 0600
};

class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& common_name);
  ~CertificateAuthority();

  Status write_certificate(const std::string& file) const;  // the authority's own
  Status issue(const std::string& common_name, const std::vector<std::string>& host_names,
               const std::vector<IpAddress>& addresses, const CertificateFiles& files) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gatehouse::lab
