// The tokens that an L4 host has given out, in one file beside the authority: hashed, so that whoever reads
// it cannot join; each good for one join, by a deadline. One that is spent is so on disk before anybody hears
// of it, hence also after a crash. Those that are spent or over are remembered for an hour, so that who comes
// with one is told what is wrong with it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/identity/site_authority.h"
#include "common/result.h"

namespace gatehouse::identity {

class TokenStore {
 public:
  static constexpr std::size_t kMost = 64;           // that could be used
  static constexpr std::int64_t kRemembered = 3600;  // seconds
  static constexpr std::int64_t kLongestLife = 7 * 24 * 3600;

  using Clock = std::function<std::int64_t()>;  // seconds of the Unix epoch
  explicit TokenStore(std::string file, Clock clock = {});

  struct Grant {
    Role role = Role::kNode;
    std::string name;  // empty: any
    std::int64_t expires = 0;
    std::string spent_by;  // empty: it is good
    std::string digest;    // of its secret
  };
  // The secret. Errors: the file, or too many.
  Result<std::string> create(Role role, const std::string& name, std::int64_t seconds);
  // Errors say what is wrong with a token: unknown, spent, too old.
  Result<Grant> find(std::string_view secret);
  Status spend(const Grant& grant, const std::string& by);
  // Whether anybody could have one that is worth an answer.
  bool is_empty();

 private:
  Status load();
  Status save(std::vector<Grant> grants);
  std::vector<Grant> remembered() const;

  std::string file_;
  Clock clock_;
  std::vector<Grant> grants_;
  bool is_loaded_ = false;
};

}  // namespace gatehouse::identity
