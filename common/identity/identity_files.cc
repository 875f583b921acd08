// The authorities go first: an identity of a new one is good for nothing before.
#include "common/identity/identity_files.h"

#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/certificate.h"
#include "common/files.h"

namespace gatehouse::identity {
namespace {

struct StoreFree {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

Status verify(const CertificateChain& chain, const CertificateChain& authorities, unsigned long flags = 0) {
  const std::unique_ptr<X509_STORE, StoreFree> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, StoreFree> context(X509_STORE_CTX_new());
  const std::unique_ptr<STACK_OF(X509), StoreFree> others(sk_X509_new_null());
  GH_CHECK(store && context && others);
  X509_STORE_add_cert(store.get(), authorities.leaf.get());
  for (const X509Ptr& authority : authorities.issuers) X509_STORE_add_cert(store.get(), authority.get());
  for (const X509Ptr& issuer : chain.issuers) sk_X509_push(others.get(), issuer.get());
  GH_CHECK(X509_STORE_CTX_init(context.get(), store.get(), chain.leaf.get(), others.get()) == 1);
  X509_STORE_CTX_set_flags(context.get(), flags);
  if (X509_verify_cert(context.get()) == 1) return {};
  return Error{std::string("the certificate is not good: ") +
               X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))};
}

}  // namespace

Status check_identity(const std::string& chain_text, const std::string& ca_text,
                      const std::string& key_text) {
  const auto chain = read_chain(chain_text), authorities = read_chain(ca_text);
  for (const auto* each : {&chain, &authorities}) {
    if (!*each) return each->error();
  }
  PrivateKeyReader reader;
  const auto key = reader.read(key_text);
  if (!key) return key.error();
  if (const Status fits = check_key_of(*chain, key->get()); !fits) return fits;
  return verify(*chain, *authorities);
}

Status check_overlap(const std::string& chain_text, const std::string& ca_text) {
  const auto chain = read_chain(chain_text), authorities = read_chain(ca_text);
  for (const auto* each : {&chain, &authorities}) {
    if (!*each) return each->error();
  }
  return verify(*chain, *authorities, X509_V_FLAG_NO_CHECK_TIME);
}

Status write_identity(const config::Control& control, const std::string& chain, const std::string& ca,
                      const std::string& key) {
  for (const std::string* file : {&control.ca, &control.key, &control.certificate}) {
    std::error_code error;
    const auto folder = std::filesystem::path(*file).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) return Error{"cannot make " + folder.string() + ": " + error.message()};
  }
  if (const Status written = replace_file(control.ca, ca); !written) return written;
  if (control.key.empty() || control.key == control.certificate)
    return replace_file(control.certificate, key + chain);
  if (const Status written = replace_file(control.key, key); !written) return written;
  return replace_file(control.certificate, chain);
}

std::vector<std::string> identity_problems(const config::Control& control, const std::string& name) {
  if (control.certificate.empty()) return {};
  const std::string& key = control.key.empty() ? control.certificate : control.key;
  const auto chain = read_file(control.certificate), ca = read_file(control.ca), key_text = read_file(key);
  for (const auto* text : {&chain, &ca, &key_text}) {
    if (!*text) return {"[control]: " + text->error().message};
  }
  std::vector<std::string> problems;
  const std::string label = "[control] certificate " + control.certificate + ": ";
  if (const Status good = check_identity(*chain, *ca, *key_text); !good)
    problems.push_back(label + good.error().message);
  const auto read = read_chain(*chain);
  if (read && !name.empty() && common_name_of(read->leaf.get()) != name) {
    problems.push_back(label + "it is that of \"" + common_name_of(read->leaf.get()) +
                       "\", and this host is \"" + name + "\"");
  }
  struct stat info {};
  if (stat(key.c_str(), &info) == 0 && (info.st_mode & 0007) != 0)
    problems.push_back("[control] key " + key + " can be read by everybody");
  return problems;
}

}  // namespace gatehouse::identity
