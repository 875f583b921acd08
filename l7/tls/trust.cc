#include "l7/tls/trust.h"

#include <openssl/pem.h>

namespace gatehouse::l7 {
namespace {

// Every certificate of a PEM text, until take() says that it is enough.
template <typename Take>
Status for_each_certificate(std::string_view pem, const char* what, Take take) {
  ERR_clear_error();
  const BioPtr bio = bio_over(pem);
  std::size_t count = 0;
  while (X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    ++count;
    take(certificate.get());
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !is_at_end) return Error{std::string(what) + ": " + take_openssl_error("not PEM")};
  ERR_clear_error();
  return {};
}

Status add_revocations(X509_STORE* store, std::string_view pem) {
  const BioPtr bio = bio_over(pem);
  std::size_t count = 0;
  while (X509CrlPtr list{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
    ++count;
    X509_STORE_add_crl(store, list.get());
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !is_at_end) return Error{"revocation list: " + take_openssl_error("not PEM")};
  ERR_clear_error();
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

}  // namespace

Result<X509StorePtr> make_trust(std::string_view authorities, std::string_view revocations) {
  X509StorePtr store(X509_STORE_new());
  const Status added = for_each_certificate(authorities, "authorities",
                                            [&store](X509* each) { X509_STORE_add_cert(store.get(), each); });
  if (!added) return added.error();
  if (revocations.empty()) return store;
  if (const Status listed = add_revocations(store.get(), revocations); !listed) return listed.error();
  return store;
}

STACK_OF(X509_NAME) * names_of_authorities(std::string_view authorities) {
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  const Status read = for_each_certificate(authorities, "authorities", [names](X509* each) {
    X509_NAME* name = X509_NAME_dup(X509_get_subject_name(each));
    if (name) sk_X509_NAME_push(names, name);
  });
  GH_CHECK(read.has_value());
  return names;
}

}  // namespace gatehouse::l7
