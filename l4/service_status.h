// Services in what an L4 host answers to `gatehouse status` and `gatehouse explain --packet`.
#pragma once

#include <nlohmann/json.hpp>

#include "l4/director.h"

namespace gatehouse::l4 {

// [{name, flows, remembered, ..., servers: [{id, name, address, state, reason, ...}]}]
nlohmann::json services_status(Director& director);
// {id, name, address} of a node or a server; its name is "?" when neither is known.
nlohmann::json hop_status(Director& director, std::uint16_t id);

}  // namespace gatehouse::l4
