// The key schedule of TLS 1.3 (RFC 8446 §7.1) as a provider of OpenSSL. A handshake derives some twenty keys;
// OpenSSL 3.0 looks up and builds a KDF, a digest and a MAC by their names for each, which costs three times
// the hashing. Here digests are looked up once. Only this one algorithm is ours; where the provider is not
// taken, OpenSSL's own serves.
#pragma once

namespace gatehouse::l7 {

// For this process, before the first context is made. False: OpenSSL does not take it.
bool use_own_key_schedule();

// What contexts ask for when they look algorithms up: ours where there is one.
inline constexpr const char* kPreferOwn = "?provider=gatehouse";

}  // namespace gatehouse::l7
