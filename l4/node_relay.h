// What an operator asks an L4 host and nodes answer: one of them, which is named, or all of them at once.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "common/control/channel.h"
#include "l4/director.h"

namespace gatehouse::l4 {

class NodeRelay {
 public:
  using Links = std::map<std::uint16_t, control::Channel*>;  // by id of the node
  static constexpr Duration kPatience{5'000};

  NodeRelay(EventLoop& loop, const Director& director, const Links& links)
      : loop_(loop), director_(director), links_(links) {}

  // To the node that `params` names as "node". Answers as the node does.
  void ask_one(std::string_view method, const control::Json& params, control::Reply reply) const;
  // To all of the config. Answers {nodes: [{node, answer}, {node, error}]} once all have, or after kPatience.
  void ask_all(std::string_view method, const control::Json& params, control::Reply reply) const;
  // To whichever has a link.
  void ask_any(std::string_view method, const control::Json& params, control::Reply reply) const;
  // nullptr: it has no link to this host.
  control::Channel* link_of(std::string_view node) const;

 private:
  EventLoop& loop_;
  const Director& director_;
  const Links& links_;
};

}  // namespace gatehouse::l4
