// Clients of HTTP/2 that mean no good: each loses its connection with the right code and is counted; nobody else notices,
// and no memory is kept for them.
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/l7/support/h2_site.h"
#include "tests/support/h2_frames.h"

namespace gatehouse::test {
namespace {

using namespace h2;
using l7::H2Offence;

std::size_t memory_in_use() { return mallinfo2().uordblks; }

class Hostile : public testing::Test {
 protected:
  Hostile() : backend(site.add_server()) { site.config.pools[0].max_idle = 4; }
  void begin() {
    site.apply();
    neighbour = site.connect_h2();
    EXPECT_EQ(site.ended(*neighbour, neighbour->get("/bytes/10")).status(), 200);
    client = site.connect();
    client->send(kPreface + frame(kSettings, kNone, 0, settings_) + frame(kSettings, kAck, 0));
    EXPECT_TRUE(site.until([&] { return !client->received().empty(); }));
  }
  // The code of the GOAWAY that ended the connection; -1: none came.
  int goodbye() {
    EXPECT_TRUE(site.until([&] { return client->is_ended() || client->unsent() == 0; }));
    EXPECT_TRUE(site.until([&] { return client->is_ended(); })) << "the connection goes on";
    for (const Frame& each : frames_of(client->received())) {
      if (each.type == kGoaway) return static_cast<int>(each.word(4));
    }
    return -1;
  }
  void expect_calm(H2Offence offence) {
    EXPECT_EQ(goodbye(), NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_EQ(site.offences(offence), 1u) << name_of(offence);
    expect_neighbour_is_served();
  }
  void expect_neighbour_is_served() { EXPECT_EQ(site.ended(*neighbour, neighbour->get("/bytes/10")).status(), 200); }
  std::string get_frame(std::uint32_t id, const std::string& path = "/bytes/10") {
    return frame(kHeaders, kEndHeaders | kEndStream, id, request("GET", path));
  }

  H2Site site;
  HttpServer& backend;
  std::string settings_;
  std::unique_ptr<H2Peer> neighbour;
  std::unique_ptr<RawSocket> client;
};

TEST_F(Hostile, RapidReset) {
  begin();
  for (std::uint32_t id = 1; id < 6'001; id += 2) client->send(get_frame(id, "/delay/1000") + frame(kRstStream, kNone, id, number(NGHTTP2_CANCEL, 4)));
  expect_calm(H2Offence::kResets);
  EXPECT_LT(backend.requests(), 1'000u);
}

TEST_F(Hostile, CancellingHalfOfWhatIsAnsweredIsNoAttack) {
  begin();
  for (int i = 0; i < 200; ++i) {
    const std::int32_t given_up = neighbour->get("/delay/1000");
    neighbour->reset(given_up, NGHTTP2_CANCEL);
    ASSERT_EQ(site.ended(*neighbour, neighbour->get("/bytes/1")).status(), 200) << i;
  }
  EXPECT_EQ(site.offences(H2Offence::kResets), 0u);
}

TEST_F(Hostile, ContinuationFlood) {
  begin();
  std::string bytes = frame(kHeaders, kEndStream, 1, request());
  for (int i = 0; i < 1'000; ++i) bytes += frame(kContinuation, kNone, 1, literal("x-" + std::to_string(i), "y"));
  client->send(bytes);
  expect_calm(H2Offence::kContinuations);
}

TEST_F(Hostile, EmptyContinuationFlood) {
  begin();
  std::string bytes = frame(kHeaders, kEndStream, 1, request());
  for (int i = 0; i < 10'000; ++i) bytes += frame(kContinuation, kNone, 1);
  client->send(bytes);
  expect_calm(H2Offence::kContinuations);
}

TEST_F(Hostile, SettingsFlood) {
  begin();
  for (int i = 0; i < 2'000; ++i) client->send(frame(kSettings, kNone, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65'535)));
  expect_calm(H2Offence::kSettings);
}

TEST_F(Hostile, ASettingsFrameOfManyEntries) {
  begin();
  std::string entries;
  for (int i = 0; i < 1'000; ++i) entries += setting(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4'096);
  client->send(frame(kSettings, kNone, 0, entries));
  expect_calm(H2Offence::kSettings);
}

TEST_F(Hostile, PingFlood) {
  begin();
  for (int i = 0; i < 5'000; ++i) client->send(frame(kPing, kNone, 0, "12345678"));
  expect_calm(H2Offence::kPings);
}

TEST_F(Hostile, PingsWhoseAnswersAreNotRead) {
  begin();
  client->set_reading(false);
  for (int i = 0; i < 100'000; ++i) client->send(frame(kPing, kNone, 0, "12345678"));
  ASSERT_TRUE(site.until([&] { return site.offences(H2Offence::kPings) == 1; }));
  client->set_reading(true);
  expect_calm(H2Offence::kPings);
}

TEST_F(Hostile, EmptyDataFlood) {
  begin();
  client->send(frame(kHeaders, kEndHeaders, 1, request("POST", "/delay/1000")));
  for (int i = 0; i < 5'000; ++i) client->send(frame(kData, kNone, 1));
  expect_calm(H2Offence::kEmptyFrames);
}

TEST_F(Hostile, PriorityFlood) {
  begin();
  for (int i = 0; i < 5'000; ++i) client->send(frame(i % 2 ? kPriority : 0xee, kNone, 1 + 2 * static_cast<std::uint32_t>(i % 100), number(0, 4) + "\x10"));
  expect_calm(H2Offence::kPriorities);
}

TEST_F(Hostile, WindowUpdateFlood) {
  begin();
  for (int i = 0; i < 5'000; ++i) client->send(frame(kWindowUpdate, kNone, 0, number(1, 4)));
  expect_calm(H2Offence::kWindowUpdates);
}

TEST_F(Hostile, StreamsThatForceUsToResetThem) {
  site.config.listeners[0].max_streams = 1'000;
  begin();
  for (std::uint32_t id = 1; id < 2'001; id += 2) {
    client->send(get_frame(id, "/delay/1000") + frame(kWindowUpdate, kNone, id, number(0x7fffffff, 4)));
  }
  expect_calm(H2Offence::kInvalidFrames);
}

TEST_F(Hostile, HeaderBomb) {
  begin();
  const std::size_t before = memory_in_use();
  // One entry of the table, of 4,000 bytes, said 12,000 times in a byte each.
  client->send(frame(kHeaders, kEndHeaders | kEndStream, 1, request() + literal("x", std::string(3'990, 'y'), 0x40) + std::string(12'000, '\xbe')));
  expect_calm(H2Offence::kHeaderBomb);
  EXPECT_LT(memory_in_use(), before + 1'000'000);
}

TEST_F(Hostile, AHeadThatNeverEnds) {
  site.config.listeners[0].header_timeout = Duration(100);
  begin();
  client->send(frame(kHeaders, kEndStream, 1, request()));
  expect_calm(H2Offence::kSlowHead);
}

TEST_F(Hostile, AZeroWindow) {
  site.config.listeners[0].idle_timeout = Duration(200);
  settings_ = setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
  begin();
  for (std::uint32_t id = 1; id < 101; id += 2) client->send(get_frame(id, "/bytes/100000"));
  EXPECT_EQ(goodbye(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(site.offences(H2Offence::kStall), 1u);
}

TEST_F(Hostile, AWindowThatOpensByOneByteNowAndThenIsBoundedInMemory) {
  settings_ = setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1);
  begin();
  const std::size_t before = memory_in_use();
  for (std::uint32_t id = 1; id < 201; id += 2) client->send(get_frame(id, "/bytes/10000000"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 101; }));
  for (int i = 0; i < 5; ++i) {
    for (std::uint32_t id = 1; id < 201; id += 2) client->send(frame(kWindowUpdate, kNone, id, number(1, 4)));
    site.comes_to_rest([&] { return client->received().size(); });
  }
  EXPECT_LT(memory_in_use(), before + 100 * 64 * 1024) << "100 connections to the backend have a buffer each";
}

TEST_F(Hostile, AClientThatReadsNothing) {
  settings_ = setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff);
  site.config.listeners[0].idle_timeout = Duration(500);
  begin();
  client->send(frame(kWindowUpdate, kNone, 0, number(0x7fff0000 - 65'535, 4)));
  client->set_reading(false);
  const std::size_t before = memory_in_use();
  for (std::uint32_t id = 1; id < 201; id += 2) client->send(get_frame(id, "/bytes/10000000"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 101; }));
  EXPECT_LT(memory_in_use(), before + 100 * 64 * 1024);
  ASSERT_TRUE(site.until([&] { return site.offences(H2Offence::kStall) == 1; }));
  ASSERT_TRUE(site.until([&] { return site.board->worker(0).connections == 0; })) << "it is given up, and the neighbour was idle";
  neighbour = site.connect_h2();
  expect_neighbour_is_served();
}

struct Broken {
  const char* what;
  std::string bytes;
  std::uint32_t code;
};

TEST_F(Hostile, BrokenFramesEndTheConnectionWithTheirCode) {
  const std::string get = get_frame(1);
  const Broken cases[] = {
      {"a window that overflows", frame(kWindowUpdate, kNone, 0, number(0x7fffffff, 4)), NGHTTP2_FLOW_CONTROL_ERROR},
      {"a frame that is too long", number(16'385, 3) + std::string(1, kData) + std::string(5 + 16'385, '\0'), NGHTTP2_FRAME_SIZE_ERROR},
      {"HEADERS on stream 0", frame(kHeaders, kEndHeaders, 0, request()), NGHTTP2_PROTOCOL_ERROR},
      {"DATA on stream 0", frame(kData, kNone, 0, "x"), NGHTTP2_PROTOCOL_ERROR},
      {"DATA on an idle stream", frame(kData, kNone, 1, "x"), NGHTTP2_PROTOCOL_ERROR},
      {"RST_STREAM on an idle stream", frame(kRstStream, kNone, 1, number(8, 4)), NGHTTP2_PROTOCOL_ERROR},
      {"a stream of even number", frame(kHeaders, kEndHeaders | kEndStream, 2, request()), NGHTTP2_PROTOCOL_ERROR},
      {"a stream begun again", get_frame(5, "/delay/1000") + get_frame(5), NGHTTP2_STREAM_CLOSED},
      {"a window of a stream opened by 0", get_frame(1, "/delay/1000") + frame(kWindowUpdate, kNone, 1, number(0, 4)), NGHTTP2_PROTOCOL_ERROR},
      {"CONTINUATION without a head", frame(kContinuation, kEndHeaders, 1, request()), NGHTTP2_PROTOCOL_ERROR},
      {"DATA within a head", frame(kHeaders, kNone, 1, request()) + frame(kData, kNone, 1, "x"), NGHTTP2_PROTOCOL_ERROR},
      {"a push", frame(kPushPromise, kEndHeaders, 1, number(2, 4) + request()), NGHTTP2_PROTOCOL_ERROR},
      {"a PING of the wrong size", frame(kPing, kNone, 0, "1234"), NGHTTP2_FRAME_SIZE_ERROR},
      {"a PING on a stream", frame(kPing, kNone, 1, "12345678"), NGHTTP2_PROTOCOL_ERROR},
      {"SETTINGS of an odd size", frame(kSettings, kNone, 0, "12345"), NGHTTP2_FRAME_SIZE_ERROR},
      {"SETTINGS on a stream", frame(kSettings, kNone, 1), NGHTTP2_PROTOCOL_ERROR},
      {"an initial window that is too large", frame(kSettings, kNone, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000)),
       NGHTTP2_FLOW_CONTROL_ERROR},
      {"a frame size that is too small", frame(kSettings, kNone, 0, setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1)), NGHTTP2_PROTOCOL_ERROR},
      {"an index beyond HPACK's table", frame(kHeaders, kEndHeaders | kEndStream, 1, "\xff\xff\x7f"), NGHTTP2_COMPRESSION_ERROR},
      {"padding beyond the frame", frame(kHeaders, kEndHeaders | kPadded, 1, "\xff" "abc"), NGHTTP2_PROTOCOL_ERROR},
      {"a window of the connection opened by 0", frame(kWindowUpdate, kNone, 0, number(0, 4)), NGHTTP2_PROTOCOL_ERROR},
  };
  begin();
  std::uint64_t ended = 0;
  for (const Broken& row : cases) {
    client = site.connect();
    client->send(kPreface + frame(kSettings, kNone, 0) + row.bytes);
    EXPECT_EQ(goodbye(), static_cast<int>(row.code)) << row.what;
    EXPECT_EQ(site.offences(H2Offence::kProtocolError) + site.offences(H2Offence::kWindowOverflow), ++ended) << row.what;
  }
  EXPECT_EQ(site.offences(H2Offence::kWindowOverflow), 2u);
  expect_neighbour_is_served();
}

TEST_F(Hostile, WhatIsNoPrefaceIsNoHttp2) {
  begin();
  for (const std::string& bytes : {std::string("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), kPreface + "nothing like a frame, and long enough"}) {
    client = site.connect();
    client->send(bytes);
    EXPECT_TRUE(site.until([&] { return client->is_ended(); })) << bytes;
  }
}

TEST_F(Hostile, AStreamsOwnMistakesEndItAlone) {
  begin();
  client->send(frame(kHeaders, kEndHeaders, 1, request("POST", "/delay/1000")) + frame(kWindowUpdate, kNone, 1, number(0x7fffffff, 4)) + get_frame(3));
  const auto came = [&](std::uint8_t type, std::uint32_t id) {
    for (const Frame& each : frames_of(client->received())) {
      if (each.type == type && each.stream == id) return true;
    }
    return false;
  };
  EXPECT_TRUE(site.until([&] { return came(kRstStream, 1) && came(kHeaders, 3); }));
  EXPECT_FALSE(client->is_ended());
}

TEST_F(Hostile, MoreStreamsThanAllowedAreRefused) {
  site.config.listeners[0].max_streams = 5;
  begin();
  client = site.connect();
  client->send(kPreface + frame(kSettings, kNone, 0));  // as one that has not heard of the limit
  for (std::uint32_t id = 1; id < 21; id += 2) client->send(get_frame(id, "/delay/200"));
  std::size_t refused = 0;
  EXPECT_TRUE(site.until([&] {
    refused = 0;
    for (const Frame& each : frames_of(client->received())) refused += each.type == kRstStream && each.word(0) == NGHTTP2_REFUSED_STREAM;
    return refused == 5;
  })) << refused;
  client = site.connect();
  client->send(kPreface + frame(kSettings, kNone, 0));
  ASSERT_TRUE(site.until([&] { return !client->received().empty(); }));
  client->send(frame(kSettings, kAck, 0));
  for (std::uint32_t id = 1; id < 21; id += 2) client->send(get_frame(id, "/delay/200"));
  EXPECT_EQ(goodbye(), NGHTTP2_PROTOCOL_ERROR) << "it knew";
}

TEST_F(Hostile, ACostlyClientIsCountedOnceAndAnHonestOneNever) {
  begin();
  for (int i = 0; i < 3'000; ++i) EXPECT_EQ(site.ended(*neighbour, neighbour->post("/", "x")).status(), 200);
  for (std::size_t i = 0; i < l7::kH2Offences; ++i) EXPECT_EQ(site.offences(static_cast<H2Offence>(i)), 0u) << name_of(static_cast<H2Offence>(i));
}

}  // namespace
}  // namespace gatehouse::test
