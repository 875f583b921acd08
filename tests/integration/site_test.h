// The fixture of all lab tests of the product: a whole site, raised anew for every test, skipped where no lab
// can be.
#pragma once

#include <gtest/gtest.h>

#include "tests/integration/site.h"

namespace gatehouse::test {

class SiteTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
    auto site = Site::up(config());
    ASSERT_TRUE(site) << site.error().message;
    site_ = std::move(*site);
  }
  void TearDown() override {
    if (!HasFailure() || !site_) return;
    for (const std::string& process : site_->lab().processes()) {
      if (const std::string log = site_->log(process); !log.empty())
        std::printf("--- %s\n%s", process.c_str(), log.c_str());
    }
  }
  virtual std::string config() { return quickstart_config(); }

  std::unique_ptr<Site> site_;
};

}  // namespace gatehouse::test
