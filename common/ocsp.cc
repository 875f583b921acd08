#include "common/ocsp.h"

#include <openssl/ocsp.h>

#include <ctime>

namespace gatehouse {
namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpensslFree<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OpensslFree<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, OpensslFree<OCSP_CERTID_free>>;

// Without the issuer in the chain the serial number has to do.
bool is_about(OCSP_SINGLERESP* single, const CertificateChain& chain) {
  auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
  ASN1_OBJECT* digest = nullptr;
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, id);
  if (chain.issuers.empty()) return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(chain.leaf.get())) == 0;
  const EVP_MD* kind = EVP_get_digestbyobj(digest);
  const IdPtr wanted(OCSP_cert_to_id(kind, chain.leaf.get(), chain.issuers.front().get()));
  return wanted && OCSP_id_cmp(wanted.get(), id) == 0;
}

}  // namespace

Result<std::chrono::system_clock::time_point> ocsp_expiry(std::string_view der,
                                                          const CertificateChain& chain) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!response) return Error{"no OCSP response in DER"};
  if (const int status = OCSP_response_status(response.get()); status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return Error{std::string("the OCSP responder said: ") + OCSP_response_status_str(status)};
  }
  const BasicPtr basic(OCSP_response_get1_basic(response.get()));
  for (int i = 0; basic && i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
    if (!is_about(single, chain)) continue;
    ASN1_GENERALIZEDTIME* next = nullptr;
    std::tm fields{};
    OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
    if (!next || ASN1_TIME_to_tm(next, &fields) != 1)
      return Error{"the OCSP response does not say when it expires"};
    return std::chrono::system_clock::from_time_t(timegm(&fields));
  }
  ERR_clear_error();
  return Error{"the OCSP response is not about this certificate"};
}

}  // namespace gatehouse
