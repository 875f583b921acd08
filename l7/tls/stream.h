// Streams that speak TLS: towards clients, whom they answer with the certificates of a TlsContext, and
// towards backends, whom they verify by a TlsClientContext.
#pragma once

#include <memory>

#include "common/address.h"
#include "l7/stream.h"

namespace gatehouse::l7 {

struct HandshakeCounters;
class TlsClientContext;
class TlsContext;
class TlsSessions;

// `counters` outlives the stream; the context need not.
std::unique_ptr<Stream> make_tls_stream(Fd socket, TlsContext& context, HandshakeCounters& counters);

// `socket` may be connecting still: open() is done when the handshake is. `sessions` outlives the stream;
// nullptr: none are kept.
std::unique_ptr<Stream> make_tls_client_stream(Fd socket, const TlsClientContext& context,
                                               const Endpoint& backend, TlsSessions* sessions);

}  // namespace gatehouse::l7
