// Files of backends: what they may say, and what is refused with its line.
#include "common/backend_list.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

std::string listed(std::string_view text) {
  const auto backends = parse_backend_list(text, "f");
  if (!backends) return backends.error().message;
  std::string said;
  for (const config::Backend& backend : *backends) {
    said += to_string(backend.address) + " " + std::to_string(backend.weight) +
            (backend.backup ? " backup" : "") + "\n";
  }
  return said;
}

TEST(BackendList, HasABackendToALineByAddress) {
  EXPECT_EQ(listed("# of the deployment\n"
                   "[2001:db8::7]:8080 weight=3 ; a comment\r\n"
                   "\n"
                   "  192.0.2.9:80\tbackup  weight=0\n"
                   "192.0.2.7:80\n"),
            "192.0.2.7:80 1\n192.0.2.9:80 0 backup\n[2001:db8::7]:8080 3\n");
  EXPECT_EQ(listed("none # for tonight\n"), "");
}

TEST(BackendList, WhatItCannotMeanIsSaidWithItsLine) {
  const std::string address = "expected address:port such as 192.0.2.7:80 or [2001:db8::7]:80, found ";
  const std::string word = "expected weight=N, from 0 to 10000, or backup, found ";
  const std::pair<std::string, std::string> rows[] = {
      {"api.internal:80\n", "f:1: " + address + "\"api.internal:80\""},
      {"\n192.0.2.7\n", "f:2: " + address + "\"192.0.2.7\""},
      {"192.0.2.7:0\n", "f:1: " + address + "\"192.0.2.7:0\""},
      {"192.0.2.7:80 weight=\n", "f:1: " + word + "\"weight=\""},
      {"192.0.2.7:80 weight=10001\n", "f:1: " + word + "\"weight=10001\""},
      {"192.0.2.7:80 weight=1x\n", "f:1: " + word + "\"weight=1x\""},
      {"192.0.2.7:80 slow\x1b[2J\n", "f:1: " + word + "\"slow?[2J\""},
      {"192.0.2.7:80\n192.0.2.7:80 backup\n", "f:2: 192.0.2.7:80 is there twice"},
      {"a\nb\n", "f:1: " + address + "\"a\"\nf:2: " + address + "\"b\""},
      {"192.0.2.7:80\nnone\n", "f:3: expected no backends beside the line \"none\""},
      {"", "f:1: expected a backend, or the line \"none\""},
      {"# nothing\n", "f:2: expected a backend, or the line \"none\""},
      {"192.0.2.7:80\n192.0.2.8:8", "f:2: the last line has no end: the file may be cut short"},
  };
  for (const auto& [text, said] : rows) EXPECT_EQ(listed(text), said) << text;
}

TEST(BackendList, HasNoMoreThanAPoolTakes) {
  std::string text;
  for (std::size_t i = 0; i < config::kMostDiscovered; ++i)
    text += "192.0.2.7:" + std::to_string(1 + i) + "\n";
  EXPECT_TRUE(parse_backend_list(text, "f").has_value());
  EXPECT_EQ(listed(text + "192.0.2.8:1\n"), "f:1025: expected at most 1024 backends");
}

TEST(BackendList, AFileThatIsNotThereIsSaid) {
  EXPECT_NE(load_backend_list("/nonexistent/list")
                .error()
                .message.find("/nonexistent/list:1: cannot read this file"),
            std::string::npos);
}

}  // namespace
}  // namespace gatehouse
