// TLS on the client side: a Stream that terminates it. The context decides certificates, versions and protocols
// (tls_context.h).
#pragma once

#include <memory>

#include "l7/stream.h"

struct ssl_ctx_st;

namespace gatehouse::l7 {

std::unique_ptr<Stream> make_tls_stream(Fd socket, ssl_ctx_st* context);

}  // namespace gatehouse::l7
