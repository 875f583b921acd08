#include "l4/node_relay.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/config/findings.h"

namespace gatehouse::l4 {
namespace {

using control::Json;

// Lives as long as a node may answer; says what it has when all have, or when that takes too long.
class Round {
 public:
  explicit Round(control::Reply reply) : reply_(std::move(reply)) {}

  std::size_t add(const std::string& node) {
    rows_.push_back({{"node", node}});
    return rows_.size() - 1;
  }
  void note(std::size_t row, Result<Json> answer) {
    if (answer) rows_[row]["answer"] = std::move(*answer);
    if (!answer) rows_[row]["error"] = answer.error().message;
    const auto is_answered = [](const Json& each) { return each.size() > 1; };
    if (std::all_of(rows_.begin(), rows_.end(), is_answered)) finish();
  }
  void wait(EventLoop& loop) {
    if (reply_) deadline_.arm<&Round::give_up>(loop, NodeRelay::kPatience, this);
  }

 private:
  void give_up() {
    const std::string late = "no answer within " + gatehouse::to_string(NodeRelay::kPatience) + ": it may still do it";
    for (Json& row : rows_) {
      if (row.size() == 1) row["error"] = late;
    }
    finish();
  }
  void finish() {
    deadline_.cancel();
    if (const control::Reply reply = std::exchange(reply_, {})) reply(Json{{"nodes", rows_}});
  }

  Json rows_ = Json::array();
  control::Reply reply_;  // empty: it has been called
  Timer deadline_;
};

}  // namespace

control::Channel* NodeRelay::link_of(std::string_view node) const {
  for (const auto& [id, channel] : links_) {
    const Director::Node* known = director_.find_node(id);
    if (known && known->config.name == node) return channel;
  }
  return nullptr;
}

void NodeRelay::ask_one(std::string_view method, const Json& params, control::Reply reply) const {
  const auto name = params.find("node");
  if (name == params.end() || !name->is_string())
    return reply(Error{std::string(method) + ": expected node, the name of one"});
  const std::string node = name->get<std::string>();
  std::vector<std::string> names;
  for (const auto& [id, each] : director_.nodes()) names.push_back(each.config.name);
  if (std::find(names.begin(), names.end(), node) == names.end())
    return reply(Error{"there is no node \"" + node + "\"" + config::suggest(node, names)});
  control::Channel* link = link_of(node);
  if (!link)
    return reply(Error{"node \"" + node +
                       "\" has no link to this host: ask it by its own socket, or another L4 host"});
  link->request(method, params, std::move(reply));
}

void NodeRelay::ask_all(std::string_view method, const Json& params, control::Reply reply) const {
  if (director_.nodes().empty()) return reply(Error{"there are no nodes in this host's config"});
  const auto round = std::make_shared<Round>(std::move(reply));
  std::vector<std::pair<std::size_t, control::Channel*>> rows;
  for (const auto& [id, node] : director_.nodes())
    rows.emplace_back(round->add(node.config.name), link_of(node.config.name));
  for (const auto& [row, link] : rows) {
    const auto note = [round, row = row](Result<Json> answer) { round->note(row, std::move(answer)); };
    if (link) {
      link->request(method, params, note);
    } else {
      note(Error{"it has no link to this host: it was not told"});
    }
  }
  round->wait(loop_);
}

void NodeRelay::ask_any(std::string_view method, const Json& params, control::Reply reply) const {
  if (links_.empty())
    return reply(Error{"no node has a link to this host: ask one by its own socket"});
  links_.begin()->second->request(method, params, std::move(reply));
}

}  // namespace gatehouse::l4
