#include "common/result.h"

#include <cerrno>
#include <cstring>

namespace gatehouse {

Error system_error(std::string_view what) {
  const int code = errno;
  return Error{std::string(what) + ": " + std::strerror(code)};
}

}  // namespace gatehouse
