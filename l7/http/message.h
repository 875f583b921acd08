// Requests and responses as the parser sees them: views into the connection's buffer, nothing copied. They are valid
// until that buffer is consumed or moved.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/token.h"

namespace gatehouse::l7::http {

inline constexpr std::size_t kMaxFields = 128;  // hard ceiling; a listener may allow fewer

struct Field {
  std::string_view name;   // as received
  std::string_view value;  // without surrounding white space
};

// A header section: names compare case-insensitively (RFC 9110 §5.1), order is kept.
class Fields {
 public:
  bool add(Field field);  // false when full
  void clear() { count_ = 0; }
  std::span<const Field> all() const { return {fields_.data(), count_}; }
  const Field* find(std::string_view name) const;  // the first of that name
  void remove(std::string_view name);              // all of that name

 private:
  std::array<Field, kMaxFields> fields_;
  std::size_t count_ = 0;
};

// How the length of a message body is known (RFC 9112 §6.3).
enum class Framing : std::uint8_t { kNone, kLength, kChunked, kUntilClose };

struct Request {
  std::string_view method;
  std::string_view target;      // as received
  std::string_view host;        // of Host or an absolute-form target, without port, as received
  std::string_view authority;   // the same with port
  std::string_view path;        // of target, without query; "*" for asterisk-form
  std::string_view query;       // without '?'
  std::uint8_t minor_version = 1;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;
  bool is_keep_alive = true;
  bool expects_continue = false;
  bool has_te_trailers = false;
  bool is_h2 = false;
  std::string_view upgrade;     // the protocol that the client would like to go on in, when it may: "websocket"
  Fields fields;
};

struct Response {
  std::uint16_t status = 0;
  std::string_view reason;
  std::uint8_t minor_version = 1;
  Framing framing = Framing::kNone;
  std::uint64_t content_length = 0;
  bool is_keep_alive = true;
  bool is_h2 = false;
  Fields fields;
};

// What has come of a message's body at this moment.
struct BodyPiece {
  enum class Status : std::uint8_t {
    kData,
    kNothing,    // for now
    kCut,        // the peer ended or was lost before the body's end
    kMalformed,
  };
  Status status = Status::kNothing;
  bool is_last = false;
  std::string_view data;
  const Fields* trailers = nullptr;  // behind the last piece; nullptr: none
  const char* reason = "";           // why it is malformed
};

// Whether a comma-separated list (Connection, Transfer-Encoding …) has `token` as a member, in any case.
bool has_member(std::string_view list, std::string_view token);
// Hop-by-hop by RFC 9110 §7.6.1 (Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade)
// or named by `connection`, the value of a Connection field.
bool is_hop_by_hop(std::string_view name, std::string_view connection);

}  // namespace gatehouse::l7::http
