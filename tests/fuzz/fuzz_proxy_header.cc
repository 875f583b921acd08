// PROXY headers: the same in one piece and in pieces; what is accepted stays within its bytes, and written
// anew is read as the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/proxy_protocol.h"

namespace {

using namespace gatehouse::l7;

// Reads from a copy of exactly that size: a sanitizer sees every read beyond it. Views are void afterwards.
ProxyResult parse(std::string_view bytes, ProxyHeader& header) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  return parse_proxy_header({copy.data(), copy.size()}, header);
}

void check_pieces(std::string_view bytes, const ProxyResult& whole) {
  ProxyHeader header;
  for (std::size_t size = 0; size <= std::min<std::size_t>(bytes.size(), 600); ++size) {
    const ProxyResult result = parse(bytes.substr(0, size), header);
    if (result.status == ProxyStatus::kNeedMore) continue;
    // What is malformed at once is so at the latest with all of it; what is done is done by then.
    GH_CHECK(result.status == whole.status && result.length == whole.length);
    GH_CHECK(result.status != ProxyStatus::kDone || size == whole.length);
    return;
  }
  GH_CHECK(whole.status == ProxyStatus::kNeedMore || bytes.size() > 600);
}

void check_written_anew(const ProxyHeader& header) {
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    char out[kMostProxyHeader];
    const std::string_view text(out, write_proxy_header(version, header, out));
    ProxyHeader again;
    const ProxyResult result = parse_proxy_header(text, again);
    GH_CHECK(result.status == ProxyStatus::kDone && result.length == text.size());
    GH_CHECK(again.names_client == header.names_client);
    if (!header.names_client) continue;
    GH_CHECK(again.source == header.source && again.destination == header.destination);
    if (version == ProxyVersion::kV1) continue;
    GH_CHECK(again.authority == header.authority.substr(0, 255) && again.alpn == header.alpn.substr(0, 255));
    GH_CHECK(again.is_tls == header.is_tls);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ProxyHeader header;
  const ProxyResult whole = parse_proxy_header(bytes, header);
  GH_CHECK((whole.status == ProxyStatus::kDone) == (whole.length > 0) && whole.length <= bytes.size());
  GH_CHECK((whole.status == ProxyStatus::kMalformed) == (*whole.reason != '\0'));
  check_pieces(bytes, whole);
  if (whole.status == ProxyStatus::kDone) check_written_anew(header);
  return 0;
}
