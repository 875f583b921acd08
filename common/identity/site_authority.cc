// X.509 as OpenSSL makes it; what a certificate says is written here and nowhere else.
#include "common/identity/site_authority.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/certificate.h"
#include "common/files.h"
#include "common/hex.h"
#include "common/identity/certificate_request.h"

namespace gatehouse::identity {
namespace {

using std::chrono::seconds;

constexpr seconds kDay{24 * 3600};
constexpr seconds kAuthorityLifetime = 3650 * kDay;
constexpr seconds kMostSlack{300};  // clocks of hosts that join differ

std::string to_pem(X509* certificate) {
  return written_by([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::uint8_t> random(bytes);
  GH_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1);
  return to_hex(random);
}

void set_serial(X509* certificate) {
  std::uint8_t bytes[16];
  GH_CHECK(RAND_bytes(bytes, sizeof bytes) == 1);
  bytes[0] = (bytes[0] & 0x7f) | 0x40;  // positive, and of that length: RFC 5280 §4.1.2.2
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  GH_CHECK(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
  BN_free(number);
}

X509Ptr new_certificate(const std::string& name, EVP_PKEY* key, seconds lifetime) {
  X509Ptr certificate(X509_new());
  GH_CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  set_serial(certificate.get());
  const seconds slack = std::min(kMostSlack, lifetime / 10);
  GH_CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -slack.count()));
  GH_CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), lifetime.count()));
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  GH_CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  GH_CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  GH_CHECK(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  GH_CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  // One that signs itself has it from the line above.
  add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
  GH_CHECK(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
}

X509Ptr authority_certificate(const std::string& name, EVP_PKEY* key, seconds lifetime, X509* issuer,
                              EVP_PKEY* issuer_key) {
  X509Ptr certificate = new_certificate(name, key, lifetime);
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  sign(certificate.get(), issuer ? issuer : certificate.get(), issuer_key);
  return certificate;
}

// The name tells authorities apart, also those of one site that follow each other. It may have 64 letters.
std::string authority_name(const std::string& site) {
  std::string name = "Gatehouse ";
  for (const char c : site.substr(0, 40)) name += c >= 0x20 && c < 0x7f ? c : '?';
  return name + " " + random_hex(4);
}

bool is_issued_by_itself(const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

Status write_folder(const std::string& folder, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"cannot make " + folder + ": " + error.message()};
  if (chmod(folder.c_str(), 0700) != 0) return system_error("cannot close " + folder + " to others");
  return replace_file(SiteAuthority::file_of(folder), text);
}

}  // namespace

std::string_view to_string(Role role) { return role == Role::kNode ? "node" : "l4"; }

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : {Role::kNode, Role::kL4Host}) {
    if (to_string(role) == text) return role;
  }
  return std::nullopt;
}

bool SiteAuthority::is_there(const std::string& folder) { return access(file_of(folder).c_str(), F_OK) == 0; }

Status SiteAuthority::create(const std::string& folder, const std::string& site) {
  const auto there = read_file_if_any(file_of(folder));
  if (!there) return there.error();
  if (*there) return Error{"there is an authority already: " + file_of(folder)};
  SiteAuthority authority;
  authority.key_ = make_key();
  EVP_PKEY* key = authority.key_.get();
  authority.certificate_ = authority_certificate(authority_name(site), key, kAuthorityLifetime, nullptr, key);
  return write_folder(folder, authority.to_pem());
}

Result<SiteAuthority> SiteAuthority::open(const std::string& folder) {
  const std::string file = file_of(folder);
  const auto text = read_file(file);
  if (!text) return text.error();
  auto chain = read_chain(*text);
  if (!chain) return Error{file + ": " + chain.error().message};
  PrivateKeyReader reader;
  auto key = reader.read(*text);
  if (!key) return Error{file + ": " + key.error().message};
  if (const Status fits = check_key_of(*chain, key->get()); !fits)
    return Error{file + ": " + fits.error().message};
  SiteAuthority authority;
  authority.key_ = std::move(*key);
  authority.certificate_ = std::move(chain->leaf);
  authority.pin_ = pin_of(authority.certificate_.get());
  for (X509Ptr& other : chain->issuers) {
    auto& group = is_issued_by_itself(other.get()) ? authority.earlier_ : authority.certified_;
    group.push_back(std::move(other));
  }
  if (days_left(authority.expiry()) < 0)
    return Error{
        file + " has expired, and all that it signed: move it away and begin with gatehouse authority init"};
  return authority;
}

SiteAuthority::Time SiteAuthority::expiry() const {
  CertificateChain chain;
  X509_up_ref(certificate_.get());
  chain.leaf.reset(certificate_.get());
  return expiry_of(chain);
}

Status SiteAuthority::rotate(const std::string& folder, const std::string& site) {
  auto old = open(folder);
  if (!old) return old.error();
  if (old->is_taking_over()) {
    return Error{file_of(folder) +
                 " takes over from an earlier authority still: gatehouse authority finish ends that"};
  }
  SiteAuthority next;
  next.key_ = make_key();
  EVP_PKEY* key = next.key_.get();
  const std::string name = authority_name(site);
  next.certificate_ = authority_certificate(name, key, kAuthorityLifetime, nullptr, key);
  const auto left = std::chrono::duration_cast<seconds>(old->expiry() - std::chrono::system_clock::now());
  next.certified_.push_back(authority_certificate(name, key, left, old->certificate_.get(), old->key_.get()));
  next.earlier_.push_back(std::move(old->certificate_));
  return write_folder(folder, next.to_pem());
}

Status SiteAuthority::finish(const std::string& folder) {
  auto authority = open(folder);
  if (!authority) return authority.error();
  if (!authority->is_taking_over()) return Error{file_of(folder) + " takes over from no other authority"};
  authority->earlier_.clear();
  authority->certified_.clear();
  return write_folder(folder, authority->to_pem());
}

std::string SiteAuthority::to_pem() const {
  std::string text = key_to_pem(key_.get()) + identity::to_pem(certificate_.get());
  for (const auto* group : {&earlier_, &certified_}) {
    for (const X509Ptr& certificate : *group) text += identity::to_pem(certificate.get());
  }
  return text;
}

Result<Issued> SiteAuthority::issue(std::string_view request, const std::string& name, Role role,
                                    seconds lifetime) const {
  const auto checked = check_request(request, name);
  if (!checked) return checked.error();
  const auto left = std::chrono::duration_cast<seconds>(expiry() - std::chrono::system_clock::now());
  // None outlives its authority: it would be good for nothing.
  X509Ptr certificate = new_certificate(name, X509_REQ_get0_pubkey(checked->get()), std::min(lifetime, left));
  add_extension(certificate.get(), certificate_.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), certificate_.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), certificate_.get(), NID_ext_key_usage,
                role == Role::kL4Host ? "serverAuth,clientAuth" : "clientAuth");
  sign(certificate.get(), certificate_.get(), key_.get());
  Issued issued{identity::to_pem(certificate.get()), identity::to_pem(certificate_.get())};
  issued.chain += certified_.empty() ? issued.ca : "";
  for (const X509Ptr& ours : certified_) issued.chain += identity::to_pem(ours.get());
  for (const X509Ptr& other : earlier_) issued.ca += identity::to_pem(other.get());
  return issued;
}

}  // namespace gatehouse::identity
