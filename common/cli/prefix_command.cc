#include "common/cli/prefix_command.h"

#include <filesystem>

#include "common/address.h"
#include "common/cli/text_table.h"
#include "common/config/findings.h"

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

struct Action {
  const char* name;
  const char* arguments;
  std::size_t least, most;
};
constexpr Action kActions[] = {{"add", "LIST PREFIX...", 2, 1'000},
                               {"remove", "LIST PREFIX...", 2, 1'000},
                               {"load", "LIST FILE", 2, 2},
                               {"list", "LIST", 1, 1},
                               {"find", "ADDRESS", 1, 1}};

Result<Json> with_prefixes(Json request, const std::vector<std::string>& words) {
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (!IpPrefix::parse(words[i])) {
      return Error{"\"" + words[i] +
                   "\" is no prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length"};
    }
    request["prefixes"].push_back(words[i]);
  }
  return request;
}

std::string count_of(const Json& answer, const char* name, const char* one, const char* many) {
  const std::size_t count = answer.value(name, std::size_t{0});
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

Result<Json> prefix_request(const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const Action& action : kActions) {
    known.emplace_back(action.name);
    if (words.empty() || words[0] != action.name) continue;
    const std::size_t given = words.size() - 1;
    if (given < action.least || given > action.most)
      return Error{std::string("prefix ") + action.name + " takes " + action.arguments};
    Json request = {{"action", words[0]},
                    {action.name == std::string("find") ? "address" : "list", words[1]}};
    if (action.name == std::string("load")) {
      // The daemon has a folder of its own.
      request["file"] = std::filesystem::absolute(words[2]).lexically_normal().string();
      return request;
    }
    return with_prefixes(std::move(request), words);
  }
  return Error{"unknown action of prefix \"" + (words.empty() ? "" : words[0]) + "\"" +
               config::suggest(words.empty() ? "" : words[0], known)};
}

std::string prefix_report(const Json& request, const Json& answer) {
  const std::string action = request.value("action", "");
  const std::string list = request.value("list", "");
  if (action == "list") {
    std::string text;
    for (const Json& prefix : answer.value("prefixes", Json::array()))
      text += prefix.get<std::string>() + "\n";
    return text;
  }
  if (action == "find") {
    TextTable table;
    table.add_column("PREFIX");
    table.add_column("LIST");
    for (const Json& rule : answer.value("rules", Json::array()))
      table.add_row({rule.value("prefix", ""), rule.value("list", "")});
    return table.is_empty() ? "no list has a prefix of it\n" : table.text();
  }
  std::string text = list + " has " + count_of(answer, "rules", "prefix", "prefixes");
  if (action == "add") text += ", " + count_of(answer, "changed", "of them new", "of them new");
  if (action == "remove") text += ", " + count_of(answer, "changed", "less than before", "less than before");
  return text + "\n";
}

}  // namespace gatehouse::cli
