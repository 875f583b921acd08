// What a proxy must know of gRPC over HTTP/2: which requests are calls, how long they may take, and how an answer that is
// not the service's own is said (trailers only, with the status in gRPC's terms).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/units.h"

namespace gatehouse::l7::http {

// Of a Content-Type: "application/grpc", also with "+proto" and the like.
bool is_grpc(std::string_view content_type);
// "100m" and the like, at most a day; nothing when it is malformed.
std::optional<Duration> parse_grpc_timeout(std::string_view text);

inline constexpr std::uint8_t kGrpcDeadlineExceeded = 4;
// The status code for an answer of our own, by the mapping that gRPC's clients use for answers in HTTP.
std::uint8_t grpc_status(std::uint16_t http_status);
// Text as a grpc-message: percent-encoded.
std::string grpc_message(std::string_view text);

}  // namespace gatehouse::l7::http
