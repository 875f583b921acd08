#include "l4/service_status.h"

#include "l4/counters.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

void add_counts(Json& service, const Tables& tables, std::uint16_t number) {
  static constexpr const char* kNames[] = {
#define GH_NAME(name, text, help) text,
      GH_SERVICE_COUNTS(GH_NAME)
#undef GH_NAME
  };
  for (std::size_t count = 0; count < GH_SERVICE_COUNT_COUNT; ++count) {
    std::uint64_t sum = 0;
    for (std::size_t place = number; place < tables.services.counts.size(); place += GH_MAX_SERVICES) {
      sum += tables.services.counts[place].count[count];
    }
    service[kNames[count]] = sum;
  }
}

Json server_status(Director& director, const ServiceDirector::Service& service, const ServiceDirector::Server& server) {
  const Tables& tables = director.plane().tables();
  const gh_traffic traffic = node_traffic(tables, server.config.id);
  return {{"id", server.config.id},
          {"name", server.config.name},
          {"address", to_string(server.config.address)},
          {"state", to_string(director.services().state_of(service, server))},
          {"is_check_ok", server.check->is_up()},
          {"reason", server.check->reason()},
          {"weight", server.config.weight},
          {"share", server.share},
          {"flows", director.services().flows_of(server.config.id)},
          {"packets", traffic.packets},
          {"bytes", traffic.bytes}};
}

}  // namespace

Json services_status(Director& director) {
  Json services = Json::array();
  for (const auto& [name, service] : director.services().services()) {
    Json entry = {{"name", name}, {"encapsulation", service.config.encapsulation}, {"servers", Json::array()}};
    std::uint64_t flows = 0;
    for (const auto& [id, server] : service.servers) {
      entry["servers"].push_back(server_status(director, service, server));
      flows += director.services().flows_of(id);
    }
    entry["flows"] = flows;
    add_counts(entry, director.plane().tables(), service.number);
    services.push_back(std::move(entry));
  }
  return services;
}

Json hop_status(Director& director, std::uint16_t id) {
  if (const Director::Node* node = director.find_node(id)) {
    return {{"id", id}, {"name", node->config.name}, {"address", to_string(node->config.address)}};
  }
  for (const auto& [name, service] : director.services().services()) {
    const auto server = service.servers.find(id);
    if (server == service.servers.end()) continue;
    return {{"id", id}, {"name", server->second.config.name}, {"address", to_string(server->second.config.address)}};
  }
  return {{"id", id}, {"name", "?"}, {"address", ""}};
}

}  // namespace gatehouse::l4
