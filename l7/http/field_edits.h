// What a route changes in a header section on its way through. Views; the head writers go by it. What is written is ours:
// a Connection field of the message cannot name it away.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "l7/http/message.h"

namespace gatehouse::l7::http {

struct FieldEdits {
  std::span<const std::string> dropped;  // names of received fields that do not pass
  std::span<const Field> written;        // behind the received ones
  std::size_t size = 0;                  // at most what `written` takes in a head

  bool drops(std::string_view name) const {
    for (const std::string& known : dropped) {
      if (equals_ignoring_case(known, name)) return true;
    }
    return false;
  }
};

}  // namespace gatehouse::l7::http
