#include "l7/tls/key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "common/openssl_ptr.h"

namespace gatehouse::l7 {
namespace {

using Bytes = std::span<const unsigned char>;
using Digest = std::unique_ptr<EVP_MD, OpensslFree<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;

constexpr std::size_t kMostHash = 48;    // of SHA-384
constexpr std::size_t kMostBlock = 128;  // of SHA-384
constexpr std::size_t kMostLabel = 2 + 1 + 255 + 1 + 255;

// A secret that does not stay in memory.
template <std::size_t size>
struct Secret : std::array<unsigned char, size> {
  ~Secret() { OPENSSL_cleanse(this->data(), size); }
};

// One of the two hashes of TLS 1.3 with HMAC (RFC 2104) and HKDF (RFC 5869) over it.
class Hash {
 public:
  explicit Hash(const char* name)
      : digest_(EVP_MD_fetch(nullptr, name, "provider=default")), context_(EVP_MD_CTX_new()) {
    if (!digest_) return;
    size_ = static_cast<std::size_t>(EVP_MD_get_size(digest_.get()));
    block_ = static_cast<std::size_t>(EVP_MD_get_block_size(digest_.get()));
  }
  bool is_usable() const { return digest_ && context_ && size_ <= kMostHash && block_ <= kMostBlock; }
  std::size_t size() const { return size_; }

  bool hash(std::initializer_list<Bytes> parts, unsigned char* out) {
    if (EVP_DigestInit_ex2(context_.get(), digest_.get(), nullptr) != 1) return false;
    for (const Bytes part : parts) {
      if (EVP_DigestUpdate(context_.get(), part.data(), part.size()) != 1) return false;
    }
    return EVP_DigestFinal_ex(context_.get(), out, nullptr) == 1;
  }

  bool hmac(Bytes key, Bytes first, Bytes second, Bytes third, unsigned char* out) {
    Secret<kMostBlock> inner, outer;
    if (key.size() > block_) return false;  // secrets of TLS 1.3 are never as long
    for (std::size_t i = 0; i < block_; ++i) {
      const unsigned char byte = i < key.size() ? key[i] : 0;
      inner[i] = byte ^ 0x36;
      outer[i] = byte ^ 0x5c;
    }
    Secret<kMostHash> middle;
    return hash({{inner.data(), block_}, first, second, third}, middle.data()) &&
           hash({{outer.data(), block_}, {middle.data(), size_}}, out);
  }

  // HKDF-Expand-Label (RFC 8446 §7.1).
  bool expand_label(Bytes secret, Bytes prefix, Bytes label, Bytes context, std::span<unsigned char> out) {
    unsigned char info[kMostLabel];
    if (prefix.size() + label.size() > 255 || context.size() > 255 || out.size() > 255 * size_) return false;
    unsigned char* at = info;
    *at++ = static_cast<unsigned char>(out.size() >> 8);
    *at++ = static_cast<unsigned char>(out.size());
    *at++ = static_cast<unsigned char>(prefix.size() + label.size());
    for (const Bytes part : {prefix, label}) at = std::copy(part.begin(), part.end(), at);
    *at++ = static_cast<unsigned char>(context.size());
    at = std::copy(context.begin(), context.end(), at);
    return expand(secret, {info, static_cast<std::size_t>(at - info)}, out);
  }

  // The next secret from the one before and what has been agreed since: "derived", then extracted.
  bool next_secret(Bytes before, Bytes prefix, Bytes label, Bytes agreed, unsigned char* out) {
    static constexpr unsigned char kZeros[kMostHash] = {};
    if (agreed.empty()) agreed = {kZeros, size_};
    Secret<kMostHash> derived;
    if (!before.empty()) {
      unsigned char nothing[kMostHash];
      if (!hash({}, nothing) ||
          !expand_label(before, prefix, label, {nothing, size_}, {derived.data(), size_}))
        return false;
      before = {derived.data(), size_};
    }
    return hmac(before, agreed, {}, {}, out);
  }

 private:
  bool expand(Bytes secret, Bytes info, std::span<unsigned char> out) {
    Secret<kMostHash> block;
    std::size_t block_size = 0;
    unsigned char counter = 0;
    for (std::size_t done = 0; done < out.size(); done += size_) {
      ++counter;
      if (!hmac(secret, {block.data(), block_size}, info, {&counter, 1}, block.data())) return false;
      block_size = size_;
      std::copy_n(block.begin(), std::min(size_, out.size() - done),
                  out.begin() + static_cast<std::ptrdiff_t>(done));
    }
    return true;
  }

  Digest digest_;
  DigestContext context_;
  std::size_t size_ = 0;
  std::size_t block_ = 0;
};

// What one derivation is asked for; views into the caller's parameters.
struct Question {
  int mode = -1;
  std::string_view digest;
  Bytes key, salt, prefix, label, context;

  explicit Question(const OSSL_PARAM* parameters) {
    for (const OSSL_PARAM* each = parameters; each && each->key; ++each) take(*each);
  }
  void take(const OSSL_PARAM& parameter) {
    const std::string_view name = parameter.key;
    const Bytes value(static_cast<const unsigned char*>(parameter.data),
                      parameter.data ? parameter.data_size : 0);
    if (name == OSSL_KDF_PARAM_MODE) OSSL_PARAM_get_int(&parameter, &mode);
    if (name == OSSL_KDF_PARAM_DIGEST) digest = static_cast<const char*>(parameter.data);
    if (name == OSSL_KDF_PARAM_KEY) key = value;
    if (name == OSSL_KDF_PARAM_SALT) salt = value;
    if (name == OSSL_KDF_PARAM_PREFIX) prefix = value;
    if (name == OSSL_KDF_PARAM_LABEL) label = value;
    if (name == OSSL_KDF_PARAM_DATA) context = value;
  }
};

struct Provider {
  Hash sha256{"SHA256"};
  Hash sha384{"SHA384"};

  Hash* find(std::string_view name) {
    if (name == "SHA2-256" || name == "SHA256") return &sha256;
    if (name == "SHA2-384" || name == "SHA384") return &sha384;
    return nullptr;
  }
};

int derive(void* provider, unsigned char* out, std::size_t size, const OSSL_PARAM parameters[]) {
  const Question question(parameters);
  Hash* hash = static_cast<Provider*>(provider)->find(question.digest);
  if (!hash || !out) return 0;
  if (question.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY) {
    return hash->expand_label(question.key, question.prefix, question.label, question.context, {out, size});
  }
  if (question.mode != EVP_KDF_HKDF_MODE_EXTRACT_ONLY || size != hash->size()) return 0;
  return hash->next_secret(question.salt, question.prefix, question.label, question.key, out);
}

template <typename Function>
constexpr OSSL_DISPATCH entry(int id, Function function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

// A derivation has no state: its context is the provider.
const OSSL_DISPATCH kKeySchedule[] = {entry(
                                          OSSL_FUNC_KDF_NEWCTX, +[](void* provider) { return provider; }),
                                      entry(
                                          OSSL_FUNC_KDF_FREECTX, +[](void*) {}),
                                      entry(
                                          OSSL_FUNC_KDF_RESET, +[](void*) {}),
                                      entry(OSSL_FUNC_KDF_DERIVE, &derive),
                                      {0, nullptr}};

const OSSL_ALGORITHM kAlgorithms[] = {{OSSL_KDF_NAME_TLS1_3_KDF, "provider=gatehouse", kKeySchedule, nullptr},
                                      {nullptr, nullptr, nullptr, nullptr}};

const OSSL_DISPATCH kProvider[] = {
    entry(
        OSSL_FUNC_PROVIDER_QUERY_OPERATION,
        +[](void*, int operation, int* is_not_cached) -> const OSSL_ALGORITHM* {
          *is_not_cached = 0;
          return operation == OSSL_OP_KDF ? kAlgorithms : nullptr;
        }),
    entry(
        OSSL_FUNC_PROVIDER_TEARDOWN, +[](void* provider) { delete static_cast<Provider*>(provider); }),
    {0, nullptr}};

int start(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions, void** context) {
  auto provider = std::make_unique<Provider>();
  if (!provider->sha256.is_usable() || !provider->sha384.is_usable()) return 0;
  *functions = kProvider;
  *context = provider.release();
  return 1;
}

class LoadedProvider {
 public:
  explicit LoadedProvider(const char* name) : provider_(OSSL_PROVIDER_load(nullptr, name)) {}
  ~LoadedProvider() {
    if (provider_) OSSL_PROVIDER_unload(provider_);
  }
  LoadedProvider(const LoadedProvider&) = delete;
  bool is_there() const { return provider_ != nullptr; }

 private:
  OSSL_PROVIDER* provider_;
};

}  // namespace

bool use_own_key_schedule() {
  // Where an administrator has chosen other providers (FIPS), theirs is taken.
  if (OSSL_PROVIDER_available(nullptr, "default") != 1) return false;
  // Naming one provider takes the default from those who name none. Both are held until the process ends.
  static const LoadedProvider standard("default");
  if (!standard.is_there() || OSSL_PROVIDER_add_builtin(nullptr, "gatehouse", start) != 1) return false;
  static const LoadedProvider own("gatehouse");
  return own.is_there();
}

}  // namespace gatehouse::l7
