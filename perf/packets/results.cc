// One row per program, one column per number of flows.
#include "perf/packets/results.h"

#include <cstdio>

namespace gatehouse::perf {
namespace {

constexpr const char* kBalanceNet = "balance(), net";
constexpr const char* kEncapsulateNet = "parse + constant outer header, net";
constexpr const char* kParseNet = "parse, net";
constexpr const char* kNotVipNet = "balance(), not a VIP, net";

std::string flows_text(std::uint32_t flows) {
  if (flows >= 1u << 20) return std::to_string(flows >> 20) + " M";
  return flows >= 1u << 10 ? std::to_string(flows >> 10) + " k" : std::to_string(flows);
}

std::vector<double> minus(std::vector<double> values, const std::vector<double>& others) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= others[i];
  return values;
}

std::string name_of(const std::string& row, Results::Column column) {
  return row + " / " + std::string(to_string(column.first)) + " / " + flows_text(column.second) +
         (column.second == 1 ? " flow" : " flows");
}

}  // namespace

std::vector<double> Results::one_move(Target, Column column) const {
  std::vector<double> values = minus(raw(Target::kRoom, column), raw(Target::kTransmit, column));
  for (double& value : values) value /= 2;
  return values;
}

std::vector<double> Results::net(Target target, Column column) const {
  const std::vector<double> values = minus(raw(target, column), raw(Target::kTransmit, column));
  const bool grows = target == Target::kEncapsulate || target == Target::kBalance;
  return grows ? minus(values, one_move(target, column)) : values;
}

std::vector<double> Results::user_raw(Target target, Column column) const {
  return user_.at({target == Target::kLoop ? UserBench::Target::kLoop : UserBench::Target::kBalance, column});
}

std::vector<double> Results::user_net(Target, Column column) const {
  return minus(user_raw(Target::kBalance, column), user_raw(Target::kLoop, column));
}

const std::vector<Results::Row>& Results::rows() {
  static const std::vector<Row> rows = {
      {"test loop alone, raw", &Results::raw, Target::kLoop},
      {"wrapper + XDP_TX, raw", &Results::raw, Target::kTransmit},
      {"wrapper + parse, raw", &Results::raw, Target::kParse},
      {"wrapper + two moves of the start, raw", &Results::raw, Target::kRoom},
      {"wrapper + parse + constant outer header, raw", &Results::raw, Target::kEncapsulate},
      {"wrapper + balance(), not a VIP, raw", &Results::raw, Target::kNotVip},
      {"wrapper + balance(), raw", &Results::raw, Target::kBalance},
      {"one move of the start", &Results::one_move, Target::kRoom},
      {kParseNet, &Results::net, Target::kParse},
      {kEncapsulateNet, &Results::net, Target::kEncapsulate},
      {kNotVipNet, &Results::net, Target::kNotVip},
      {kBalanceNet, &Results::net, Target::kBalance},
      {"user space: loop alone, raw", &Results::user_raw, Target::kLoop},
      {"user space: balance(), raw", &Results::user_raw, Target::kBalance},
      {"user space: balance(), net", &Results::user_net, Target::kBalance},
  };
  return rows;
}

void Results::print() const {
  for (const Family family : kFamilies) {
    std::printf("\n%s TCP, ns per packet: median ± quartile range (smallest of raw figures)\n%-46s",
                to_string(family).data(), "");
    for (const std::uint32_t flows : kFlows) {
      std::printf("%20s", (flows_text(flows) + (flows == 1 ? " flow" : " flows")).c_str());
    }
    std::printf("\n");
    for (const Row& row : rows()) {
      std::printf("%-46s", row.name.c_str());
      for (const std::uint32_t flows : kFlows) {
        const Summary figures = summarize((this->*row.values)(row.target, {family, flows}));
        char text[64];
        const bool is_raw = row.name.ends_with("raw");  // the smallest difference of a pair says nothing
        const int used = std::snprintf(text, sizeof text, "%.1f ±%.1f", figures.median, figures.spread);
        if (is_raw)
          std::snprintf(text + used, sizeof text - static_cast<std::size_t>(used), " (%.1f)", figures.min);
        std::printf("%21s", text);  // one more: ± is two bytes
      }
      std::printf("\n");
    }
  }
}

std::vector<Measurement> Results::measurements() const {
  std::vector<Measurement> list;
  for (const Family family : kFamilies) {
    for (const std::uint32_t flows : kFlows) {
      const Column column{family, flows};
      for (const Row& row : rows()) {
        const Summary figures = summarize((this->*row.values)(row.target, column));
        list.push_back({name_of(row.name, column), figures.median, "ns/packet", figures.spread, {}, 0});
        if (row.name != kBalanceNet && row.name != kNotVipNet) continue;
        const bool is_vip = row.name == kBalanceNet;
        const Summary floor = summarize(net(is_vip ? Target::kEncapsulate : Target::kParse, column));
        list.back().compared_with = name_of(is_vip ? kEncapsulateNet : kParseNet, column);
        list.back().ratio = figures.median / floor.median;
      }
    }
  }
  return list;
}

}  // namespace gatehouse::perf
