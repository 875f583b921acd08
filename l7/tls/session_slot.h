// Where the sessions that come on a connection to a backend are kept.
#pragma once

#include <openssl/ssl.h>

namespace gatehouse::l7 {

class TlsSessions;

TlsSessions* sessions_of(const SSL* ssl);
void set_sessions_of(SSL* ssl, TlsSessions* sessions);

}  // namespace gatehouse::l7
