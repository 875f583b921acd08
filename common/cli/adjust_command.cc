// Numbers are checked here for their form, by the node for their range.
#include "common/cli/adjust_command.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "common/address.h"
#include "common/cli/report.h"
#include "common/cli/talk.h"
#include "common/config/findings.h"
#include "common/json_fields.h"

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

// null: "config".
Result<Json> parse_weight(const std::string& text) {
  if (text == "config") return Json();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return Error{"\"" + text +
                 "\" is no weight: expected a number such as 5, or \"config\" for the config's"};
  return Json(number);
}

}  // namespace

Result<Json> weight_request(const std::vector<std::string>& words) {
  auto weight = parse_weight(words[2]);
  if (!weight) return weight.error();
  return Json{{"route", words[0]}, {"pool", words[1]}, {"weight", std::move(*weight)}};
}

Result<Json> backend_request(const std::vector<std::string>& words) {
  const std::vector<std::string> known = {"drain", "undrain", "disable", "enable", "weight"};
  const std::string& action = words[2];
  if (std::find(known.begin(), known.end(), action) == known.end())
    return Error{"unknown action of backend \"" + action + "\"" + config::suggest(action, known)};
  const auto address = Endpoint::parse(words[1]);
  if (!address)
    return Error{"\"" + words[1] + "\" is no address with a port, such as 192.0.2.7:80 or [2001:db8::7]:80"};
  Json request = {{"pool", words[0]}, {"address", to_string(*address)}, {"action", action}};
  const bool is_weight = action == "weight";
  if (is_weight != (words.size() == 4))
    return Error{"backend POOL ADDRESS " + action + (is_weight ? " takes a weight" : " takes nothing more")};
  if (!is_weight) return request;
  auto weight = parse_weight(words[3]);
  if (!weight) return weight.error();
  request["weight"] = std::move(*weight);
  return request;
}

std::string backend_report(const Json& answer) {
  return "backend " + text_of(member(answer, "address")) + " of pool " + text_of(member(answer, "pool")) +
         " is " + text_of(member(answer, "state")) + ", weight " + text_of(member(answer, "weight")) + "\n";
}

AdjustReport adjust_report(const Json& answer, std::string (*report)(const Json&)) {
  if (!answer.contains("nodes")) return {report(answer), ""};
  std::vector<std::pair<std::string, std::string>> said;  // by whom, what
  AdjustReport all;
  for (const Json& row : member(answer, "nodes")) {
    const std::string node = text_of(member(row, "node"));
    if (row.contains("error")) {
      all.missed += node + ": " + text_of(member(row, "error")) + "\n";
      continue;
    }
    const std::string text = report(member(row, "answer"));
    const auto same =
        std::find_if(said.begin(), said.end(), [&](const auto& each) { return each.second == text; });
    if (same != said.end()) {
      same->first += ", " + node;
    } else {
      said.emplace_back(node, text);
    }
  }
  for (const auto& [nodes, text] : said) {
    const bool is_line = text.find('\n') + 1 >= text.size();
    all.text += nodes + (is_line ? ": " : ":\n") + text;
  }
  return all;
}

namespace {

int adjust(const Invocation& invocation, const char* method, Result<Json> request,
           std::string (*report)(const Json&)) {
  if (!request) return complain(request.error().message, 2);
  const Result<Json> answer = ask(invocation, method, std::move(*request));
  if (!answer) return complain(answer.error().message);
  const AdjustReport done = adjust_report(*answer, report);
  print(done.text);
  return done.missed.empty() ? 0 : complain(done.missed.substr(0, done.missed.size() - 1));
}

}  // namespace

int weight(const Invocation& invocation) {
  return adjust(invocation, "weight", weight_request(invocation.arguments), arms_report);
}

int backend(const Invocation& invocation) {
  return adjust(invocation, "backend", backend_request(invocation.arguments), backend_report);
}

}  // namespace gatehouse::cli
