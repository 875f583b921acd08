// Owning pointers to OpenSSL's objects, and its errors in words.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/check.h"

namespace gatehouse {

template <auto Free>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using X509RequestPtr = std::unique_ptr<X509_REQ, OpensslFree<X509_REQ_free>>;
using X509CrlPtr = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using PrivateKeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

// `text` must outlive it.
inline BioPtr bio_over(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// What `write` writes; it gets a BIO, and its success is 1 or more.
template <typename Write>
std::string written_by(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  GH_CHECK(bio && write(bio.get()) > 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// The first error of the queue, which is empty afterwards.
inline std::string take_openssl_error(const char* otherwise) {
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  const std::string text = reason ? reason : otherwise;
  ERR_clear_error();
  return text;
}

}  // namespace gatehouse
