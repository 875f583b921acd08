// Messages of the control protocol: any JSON is taken apart or refused with words; what is accepted holds the
// very values that were sent, and is sent back the same.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/check.h"
#include "common/control/messages.h"

namespace {

using namespace gatehouse::control;
using Json = nlohmann::json;

// What has no list in it comes back the same, whatever stood beside it.
template <typename Parse>
void check_again(const Json& json, Parse parse) {
  const auto message = parse(json);
  if (!message) {
    GH_CHECK(!message.error().message.empty());
    return;
  }
  const auto again = parse(to_json(*message));
  GH_CHECK(again.has_value());
  GH_CHECK(to_json(*again).dump() == to_json(*message).dump());
}

// Every value of `ours` stands in `theirs`. Addresses may be written in more than one form.
void check_kept(const Json& ours, const Json& theirs) {
  for (const auto& [name, value] : ours.items()) {
    GH_CHECK(theirs.contains(name));
    if (name == "address") continue;
    const Json& sent = theirs[name];
    if (name == "versions") {
      check_again(sent, gatehouse::versions::version_state_from_json);
      continue;
    }
    if (!value.is_array()) {
      GH_CHECK(value == sent);
      continue;
    }
    GH_CHECK(sent.is_array() && sent.size() == value.size());
    for (std::size_t i = 0; i < value.size(); ++i) check_kept(value[i], sent[i]);
  }
}

template <typename Parse>
void check_message(const Json& json, Parse parse) {
  const auto message = parse(json);
  if (!message) {
    GH_CHECK(!message.error().message.empty());
    return;
  }
  const Json printed = to_json(*message);
  check_kept(printed, json);
  const auto again = parse(printed);
  GH_CHECK(again.has_value());
  GH_CHECK(to_json(*again).dump() == printed.dump());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Json json = Json::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return 0;
  check_message(json, hello_from_json);
  check_message(json, node_report_from_json);
  check_again(json, host_hello_from_json);
  check_again(json, gatehouse::versions::version_from_json);
  check_again(json, gatehouse::versions::version_state_from_json);
  return 0;
}
