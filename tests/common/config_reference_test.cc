// The reference page is what the declarations say, every option is documented, and every config that ships is
// good.
#include "common/config/reference.h"

#include <gtest/gtest.h>

#include <set>

#include "common/config/fields.h"
#include "common/config/load.h"
#include "tests/support/source_tree.h"

namespace gatehouse::config {
namespace {

using test::kSourceRoot;

TEST(Reference, PageInTheTreeIsTheGeneratedOne) {
  EXPECT_EQ(test::read_text(kSourceRoot / "config/reference.md"), reference_page())
      << "regenerate it: gatehouse reference > config/reference.md";
}

template <typename T>
void expect_documented(const std::string& section) {
  std::set<std::string> names;
  for_each_field<T>([&](const auto& field) {
    const std::string doc = field.doc;
    const std::string place = section + "." + field.name;
    EXPECT_TRUE(names.insert(field.name).second) << place << " is declared twice";
    EXPECT_GE(doc.size(), 10u) << place << " has no doc";
    EXPECT_TRUE(doc.empty() || doc.back() == '.') << place << ": a doc is a sentence";
    EXPECT_EQ(doc.find('|'), std::string::npos) << place << ": it would break the page's table";
    EXPECT_LE(field.least, field.most) << place;
    EXPECT_NE(reference_page().find(std::string("| `") + field.name + "` |"), std::string::npos) << place;
  });
}

TEST(Reference, EveryOptionHasADoc) {
  expect_documented<Site>("site");
  expect_documented<Vip>("vip");
  expect_documented<L4Host>("l4_host");
  expect_documented<HostBgp>("l4_host.bgp");
  expect_documented<Node>("node");
  expect_documented<Ring>("ring");
  expect_documented<Probe>("probe");
  expect_documented<Control>("control");
  expect_documented<Workers>("workers");
  expect_documented<Certificate>("certificate");
  expect_documented<Listener>("listener");
  expect_documented<Route>("route");
  expect_documented<Backend>("backend");
  expect_documented<Health>("health");
  expect_documented<Pool>("pool");
  expect_documented<AccessLog>("access_log");
  expect_documented<Bgp>("bgp");
  expect_documented<BgpAnchor>("bgp.anchor");
  expect_documented<BgpNeighbour>("bgp.neighbours");
}

TEST(Reference, EverySectionHasADocAndAHeading) {
  const std::string page = reference_page();
  for_each_field<Config>([&](const auto& field) {
    EXPECT_GE(std::string(field.doc).size(), 10u) << field.name;
    const std::string once = "\n## `[" + std::string(field.name) + "]`\n\n" + field.doc;
    const std::string repeated = "\n## `[[" + std::string(field.name) + "]]`\n\n" + field.doc;
    EXPECT_TRUE(page.find(once) != std::string::npos || page.find(repeated) != std::string::npos)
        << field.name;
  });
  for (const char* nested : {"[[listener]].certificates", "[[pool]].backends", "[[pool]].health"}) {
    EXPECT_NE(page.find("\n## `" + std::string(nested) + "`\n"), std::string::npos) << nested;
  }
}

TEST(Reference, RowsShowDefaultsAndBounds) {
  const std::string page = reference_page();
  for (const char* row :
       {"| `slots` | number | `65537` | 251 – 1000003 |", "| `count` | number | `\"auto\"` | 0 – 64 |",
        "| `interval` | duration | `\"1s\"` | 50ms – 24h |",
        "| `max_header` | size | `\"16KiB\"` | 1KiB – 64KiB |", "| `pool` | text | required |  |",
        "| `status` | list of number | `[200]` | 100 – 599 |", "| `control` | address:port |  |  |",
        "| `address` | address:port | required |  |"}) {
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

// The defaults are options too: a default out of its own bounds could not be written down.
template <typename T>
void expect_defaults_in_bounds() {
  const T defaults{};
  for_each_field<T>([&](const auto& field) {
    using Member = std::remove_cvref_t<decltype(defaults.*field.member)>;
    if (field.flags & kRequired) return;
    std::int64_t value = field.least;
    if constexpr (std::is_integral_v<Member>) value = static_cast<std::int64_t>(defaults.*field.member);
    if constexpr (std::is_same_v<Member, Duration>) value = (defaults.*field.member).count();
    if constexpr (std::is_same_v<Member, ByteSize>)
      value = static_cast<std::int64_t>((defaults.*field.member).bytes);
    EXPECT_GE(value, field.least) << field.name;
    EXPECT_LE(value, field.most) << field.name;
  });
}

TEST(Reference, DefaultsAreWithinTheirBounds) {
  expect_defaults_in_bounds<Site>();
  expect_defaults_in_bounds<Vip>();
  expect_defaults_in_bounds<Node>();
  expect_defaults_in_bounds<Ring>();
  expect_defaults_in_bounds<Probe>();
  expect_defaults_in_bounds<Workers>();
  expect_defaults_in_bounds<Listener>();
  expect_defaults_in_bounds<Route>();
  expect_defaults_in_bounds<Backend>();
  expect_defaults_in_bounds<Health>();
  expect_defaults_in_bounds<Pool>();
  expect_defaults_in_bounds<Bgp>();
}

TEST(ShippedConfigs, LoadWithoutErrors) {
  const auto files = test::files_below("config", {".toml"});
  EXPECT_GE(files.size(), 2u);
  for (const auto& file : files) EXPECT_EQ(load_file(kSourceRoot / file).errors(), "") << file;
}

}  // namespace
}  // namespace gatehouse::config
