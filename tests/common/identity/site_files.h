// A site's authority and the identities of its hosts, in a folder of one test's own.
#pragma once

#include <string>

#include "common/config/model.h"
#include "common/identity/certificate_request.h"
#include "common/identity/identity_files.h"
#include "common/identity/site_authority.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::identity {

struct SiteFiles {
  SiteFiles() { GH_CHECK(SiteAuthority::create(authority(), "edge")); }
  std::string authority() const { return folder.path() + "/authority"; }
  SiteAuthority open() const {
    auto opened = SiteAuthority::open(authority());
    GH_CHECK(opened);
    return std::move(*opened);
  }
  config::Control control(const std::string& name) const {
    config::Control control;
    control.certificate = folder.path() + "/" + name + ".pem";
    control.ca = folder.path() + "/" + name + ".ca.pem";
    control.authority = authority();
    return control;
  }
  // Writes the files of `name` and says where they are.
  config::Control identity(const std::string& name, Role role,
                           std::chrono::seconds life = std::chrono::seconds(3600)) const {
    const PrivateKeyPtr key = make_key();
    const auto issued = open().issue(make_request(key.get(), name), name, role, life);
    GH_CHECK(issued && write_identity(control(name), issued->chain, issued->ca, key_to_pem(key.get())));
    return control(name);
  }

  const test::TemporaryFolder folder;
};

}  // namespace gatehouse::identity
