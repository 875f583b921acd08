// A TLS stream tells the truth: what it calls drained holds no byte more, in the socket or in OpenSSL.
#include "l7/tls/stream.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <random>

#include "l7/tls/context.h"
#include "l7/tls/handshake_counters.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::l7 {
namespace {

// A stream and its client, at the ends of a socket pair, after their handshake.
class TlsEnds : public testing::TestWithParam<int> {
 protected:
  TlsEnds() {
    config::Listener listener;
    TlsFiles files;
    test::add_certificate(listener, files, test::Authority().issue({"a.example"}));
    tls_ = std::move(*TlsContext::make(listener, files, resources_, {}));
    int ends[2];
    GH_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    client_socket_ = Fd(ends[0]);
    stream = make_tls_stream(Fd(ends[1]), *tls_, counters);
    client = SSL_new(client_context_);
    SSL_set_max_proto_version(client, GetParam());
    SSL_set_fd(client, ends[0]);
    SSL_set_connect_state(client);
    bool is_done = false;
    for (int i = 0; i < 10 && !is_done; ++i)
      is_done = (SSL_do_handshake(client) == 1) & (stream->open() == StreamStatus::kDone);
    GH_CHECK(is_done);
  }
  ~TlsEnds() override {
    SSL_free(client);
    SSL_CTX_free(client_context_);
  }
  void send(std::string_view bytes) {
    ASSERT_EQ(SSL_write(client, bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  // One read; what came is appended to `received`.
  StreamResult read(std::size_t size) {
    std::string room(size, '\0');
    const StreamResult result = stream->read(room.data(), size);
    if (result.status == StreamStatus::kDone) received.append(room, 0, result.bytes);
    return result;
  }

  HandshakeCounters counters{};
  std::unique_ptr<Stream> stream;
  SSL* client = nullptr;
  std::string received;

 private:
  TlsResources resources_;
  std::unique_ptr<TlsContext> tls_;
  SSL_CTX* client_context_ = SSL_CTX_new(TLS_client_method());
  Fd client_socket_;
};

TEST_P(TlsEnds, CountsItsHandshake) {
  EXPECT_EQ(counters.done.load(), 1u);
  EXPECT_EQ(counters.resumed.load(), 0u);
  stream.reset();
  EXPECT_EQ(counters.all_failed(), 0u);
}

TEST_P(TlsEnds, ReadsWhatWasSent) {
  send("hello");
  EXPECT_EQ(read(100).bytes, 5u);
  EXPECT_EQ(received, "hello");
  EXPECT_EQ(read(100).status, StreamStatus::kBlocked);
}

// The rest of a record comes out of OpenSSL's buffer without a look at the socket, where more has arrived
// since.
TEST_P(TlsEnds, TheRestOfARecordSaysNothingOfTheSocket) {
  send(std::string(2'000, 'a'));
  EXPECT_EQ(read(1'000).bytes, 1'000u);
  send("b");
  const StreamResult rest = read(16'384);
  EXPECT_EQ(rest.bytes, 1'000u);
  EXPECT_FALSE(rest.is_drained);
  EXPECT_EQ(read(16'384).bytes, 1u);
}

TEST_P(TlsEnds, WhatIsDrainedIsEmpty) {
  std::mt19937 random(23);
  std::string sent;
  int drained = 0;
  for (int i = 0; i < 5'000; ++i) {
    if (random() % 2) {
      const std::string bytes(1 + random() % (random() % 4 ? 300 : 16'384),
                              static_cast<char>('a' + random() % 26));
      if (sent.size() - received.size() < 60'000) {
        send(bytes);
        sent += bytes;
      }
    }
    const StreamResult result = read(1 + random() % (random() % 2 ? 500 : 20'000));
    if (result.status != StreamStatus::kDone || !result.is_drained) continue;
    ++drained;
    ASSERT_EQ(received.size(), sent.size());
    ASSERT_EQ(read(1).status, StreamStatus::kBlocked);
  }
  while (read(16'384).status == StreamStatus::kDone) {
  }
  EXPECT_EQ(received, sent);
  EXPECT_GT(drained, 100) << "or every read would cost a second one";
}

TEST_P(TlsEnds, EndsAreToldApart) {
  send("last");
  SSL_shutdown(client);
  EXPECT_EQ(read(100).bytes, 4u);
  EXPECT_EQ(read(100).status, StreamStatus::kClosed);
  EXPECT_EQ(stream->write("answer", 6).bytes, 6u) << "a half-closed client is still answered";
  char answer[10];
  EXPECT_EQ(SSL_read(client, answer, sizeof answer), 6);
  stream->close_output();
  EXPECT_EQ(SSL_read(client, answer, sizeof answer), 0);
  EXPECT_EQ(SSL_get_shutdown(client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN) << "nothing was cut off";
}

TEST_P(TlsEnds, WhatIsNotTlsFails) {
  const std::string noise = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(SSL_get_fd(client), noise.data(), noise.size(), 0), static_cast<ssize_t>(noise.size()));
  EXPECT_EQ(read(100).status, StreamStatus::kFailed);
  EXPECT_TRUE(stream->failure().starts_with("TLS: ")) << stream->failure();
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsEnds, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) { return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

}  // namespace
}  // namespace gatehouse::l7
