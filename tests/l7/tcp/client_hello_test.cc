// The ClientHello, in any pieces; and everything that is none.
#include "l7/tcp/client_hello.h"

#include <gtest/gtest.h>

#include "tests/l7/support/hello_bytes.h"

namespace gatehouse::test {
namespace {

using l7::tcp::ClientHello;
using Status = ClientHello::Status;

TEST(ClientHello, OfOpenSslIsReadHoweverMuchIsThere) {
  const std::string bytes = real_hello("shop.example");
  ClientHello reader;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(reader.read(bytes.substr(0, size)), Status::kNeedMore) << size << ": " << reader.reason();
  }
  ASSERT_EQ(reader.read(bytes), Status::kDone) << reader.reason();
  EXPECT_EQ(reader.server_name(), "shop.example");
  EXPECT_EQ(reader.first_protocol(), "h2");
}

TEST(ClientHello, IsReadFromRecordsOfAnySize) {
  for (std::size_t size = 1; size < 300; ++size) {
    const std::string bytes = in_records(hello(server_name("a.example") + protocols({"http/1.1"})), size);
    ClientHello reader;
    ASSERT_EQ(reader.read(bytes.substr(0, bytes.size() - 1)), Status::kNeedMore) << size;
    ASSERT_EQ(reader.read(bytes + "what follows"), Status::kDone) << size << ": " << reader.reason();
    EXPECT_EQ(reader.server_name(), "a.example");
    EXPECT_EQ(reader.first_protocol(), "http/1.1");
  }
}

TEST(ClientHello, MayNameNobody) {
  ClientHello reader;
  for (const std::string& message :
       {hello(""), handshake(hello_fields()), hello(extension(43, "\x02\x03\x04"))}) {
    ASSERT_EQ(reader.read(in_records(message)), Status::kDone) << reader.reason();
    EXPECT_EQ(reader.server_name(), "");
    EXPECT_EQ(reader.first_protocol(), "");
  }
  ASSERT_EQ(reader.read(in_records(hello(extension(0, counted(2, "\x07" + counted(2, "else")))))),
            Status::kDone);
  EXPECT_EQ(reader.server_name(), "") << "a name of another type";
}

TEST(ClientHello, NothingIsLeftOfTheOneBefore) {
  ClientHello reader;
  ASSERT_EQ(reader.read(hello_for("a.example")), Status::kDone);
  ASSERT_EQ(reader.read(in_records(hello(""))), Status::kDone);
  EXPECT_EQ(reader.server_name(), "");
  EXPECT_EQ(reader.first_protocol(), "");
}

struct Row {
  std::string bytes;
  const char* reason;
};

TEST(ClientHello, IsRefusedWhenMalformed) {
  const std::string fields = hello_fields();
  const auto with = [](std::string_view data, unsigned type = 0) {
    return in_records(hello(extension(type, data)));
  };
  const std::string name = std::string(1, '\0') + counted(2, "a.example");
  const Row rows[] = {
      {"GET / HTTP/1.1\r\n", "not a TLS handshake"},
      {std::string("\x80\x2e\x01\x03\x01", 5), "not a TLS handshake"},
      {std::string("\x15\x03\x01\0\x02", 5), "not a TLS handshake"},
      {"\x16\x02", "not TLS"},
      {std::string("\x16\x03\x01\0\0", 5), "a record of a length that is not allowed"},
      {std::string("\x16\x03\x01\x40\x01", 5), "a record of a length that is not allowed"},
      {in_records(handshake(fields, 2)), "not a ClientHello"},
      {std::string("\x16\x03\x01\0\x04\x01\0\x40\0", 9), "a ClientHello that is too long"},
      {in_records(hello(server_name("a.example")), 20).substr(0, 25) +
           std::string("\x14\x03\x03\0\x01\x01", 6),
       "not a TLS handshake"},
      {in_records(handshake(fields.substr(0, 50))), "a ClientHello that ends within its fields"},
      {in_records(handshake("\x02" + fields.substr(1))), "not a version of TLS"},
      {in_records(handshake(fields.substr(0, 34) + counted(1, std::string(33, 's')) + fields.substr(67))),
       "a field of a length that is not allowed"},
      {in_records(handshake(fields.substr(0, 67) + counted(2, "") + counted(1, "0"))),
       "a field of a length that is not allowed"},
      {in_records(handshake(fields.substr(0, 67) + counted(2, "\x13\x01\x13") + counted(1, "0"))),
       "a field of a length that is not allowed"},
      {in_records(handshake(fields.substr(0, 67) + counted(2, "\x13\x01") + counted(1, ""))),
       "a field of a length that is not allowed"},
      {in_records(handshake(fields + counted(2, "") + "x")),
       "extensions that do not end with the ClientHello"},
      {in_records(handshake(fields + "x")), "extensions that do not end with the ClientHello"},
      {in_records(handshake(fields + "\x01\x01" + server_name("a.example"))),
       "extensions that do not end with the ClientHello"},
      {in_records(hello(server_name("a.example") + "\x01")), "an extension that is longer than all of them"},
      {in_records(hello(std::string("\0\0\xff\xff", 4))), "an extension that is longer than all of them"},
      {in_records(hello(server_name("a.example") + server_name("b.example"))),
       "an extension that is there twice"},
      {in_records(hello(protocols({"h2"}) + protocols({"h2"}))), "an extension that is there twice"},
      {with(""), "a malformed list of server names"},
      {with(counted(2, "")), "a malformed list of server names"},
      {with(counted(2, name) + "x"), "a malformed list of server names"},
      {with(counted(2, name + "x")), "a malformed list of server names"},
      {with(counted(2, std::string("\0\xff\xff", 3) + "a.example")), "a malformed list of server names"},
      {with(counted(2, name + name)), "two server names"},
      {in_records(hello(server_name(""))), "a server name that is none"},
      {in_records(hello(server_name(std::string("a\0.example", 10)))), "a server name that is none"},
      {in_records(hello(server_name("a.example/"))), "a server name that is none"},
      {in_records(hello(server_name("[::1]"))), "a server name that is none"},
      {in_records(hello(server_name(std::string(256, 'a')))), "a server name that is none"},
      {with("", 16), "a malformed list of protocols"},
      {with(counted(2, ""), 16), "a malformed list of protocols"},
      {with(counted(2, counted(1, "")), 16), "a malformed list of protocols"},
      {with(counted(2, "\x03h2"), 16), "a malformed list of protocols"},
      {with(counted(2, counted(1, "h2")) + "x", 16), "a malformed list of protocols"},
  };
  ClientHello reader;
  for (const Row& row : rows) {
    EXPECT_EQ(reader.read(row.bytes), Status::kMalformed) << testing::PrintToString(row.bytes) << row.reason;
    EXPECT_STREQ(reader.reason(), row.reason) << testing::PrintToString(row.bytes);
  }
}

}  // namespace
}  // namespace gatehouse::test
