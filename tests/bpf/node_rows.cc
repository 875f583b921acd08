// The packets of the node's rows, and how they are run.
#include "tests/bpf/node_rows.h"

#include <algorithm>

namespace gatehouse::test {

Build tunnel(const Outer& outer, Build link) {
  const std::string source = !outer.source.empty() ? outer.source : outer.is_v4 ? kFrontDoor : kFrontDoorV6;
  if (outer.is_v4) {
    link.ipv4(source, kSelf).traffic_class(outer.traffic_class).dont_fragment().ttl(61);
  } else {
    link.ipv6(source, kSelfV6).traffic_class(outer.traffic_class).flow_label(0x54321).ttl(61);
  }
  if (outer.encapsulation == GH_ENCAPSULATE_IPIP) return link;
  link.udp(kTunnelSource, 6080).without_checksum();
  return outer.encapsulation == GH_ENCAPSULATE_GUE ? link.plain_gue() : link.gue(kTunnelEpoch, outer.hops);
}

Build onward(const std::string& node, const Hops& hops, Build link, std::uint8_t traffic_class) {
  if (node.find(':') == std::string::npos) {
    link.ipv4(kSelf, node).traffic_class(traffic_class).dont_fragment();
  } else {
    link.ipv6(kSelfV6, node).traffic_class(traffic_class).flow_label(0x54321);
  }
  return link.udp(kTunnelSource, 6080).without_checksum().gue(kTunnelEpoch, hops);
}

Build inner_v4(std::uint8_t flags) {
  return Build().ipv4("203.0.113.7", "198.51.100.10").tcp(40000, 443, flags).payload("hello");
}
Build inner_v6(std::uint8_t flags) {
  return Build().ipv6("2001:db8:c::7", "2001:db8:5::10").tcp(40000, 443, flags).payload("hello");
}

Row alone(std::string description, const Build& input) {
  return {std::move(description), input.build(), GH_NODE_NOT_TUNNEL, XDP_PASS, input.build()};
}
Row refused(std::string description, const Bytes& input, gh_verdict verdict) {
  return {std::move(description), input, verdict, XDP_DROP, input};
}
Row stripped(std::string description, const Outer& outer, const Build& inner, gh_verdict verdict,
             const Build& link) {
  return {std::move(description), tunnel(outer, link).packet(inner.build()).build(), verdict, XDP_PASS,
          Build(link).packet(inner.build()).build()};
}
Row sent_on(std::string description, const Outer& outer, const Build& inner, Build output,
            const Build& link) {
  const Bytes packet = inner.build();
  return {std::move(description), tunnel(outer, link).packet(packet).build(), GH_NODE_SENT_ON, XDP_TX,
          output.packet(packet).build()};
}

void NodeRows::SetUp() {
  fill_node(user_);
  if (GetParam() == Adapter::kKernel) open_node(kernel_, kernel_tables_, counts_);
}

void NodeRows::run_rows(const Rows& rows) {
  for (const Row& row : rows) {
    if (GetParam() == Adapter::kUserSpace) {
      expect_row(user_, row,
                 [&](Bytes& packet) { EXPECT_EQ(run_here(l4::decapsulate, user_, packet, 0), row.verdict); });
    } else {
      expect_row(counts_, row, [&](Bytes& packet) {
        EXPECT_EQ(run_in_kernel(bpf_program__fd(kernel_->progs.decapsulate), packet), row.action);
      });
    }
  }
}

void NodeTwice::run_both(const Bytes& input) {
  l4::Tables user = tables_;
  user.cpus = {counters_.get(), 1};
  Bytes from_kernel = input, from_user = input;
  const int action = run(from_kernel);
  EXPECT_EQ(xdp_action_of(run_here(l4::decapsulate, user, from_user)), action);
  EXPECT_EQ(to_hex(from_user), to_hex(from_kernel));
  EXPECT_EQ(l4::verdict_counts(user), l4::verdict_counts(counts_));
  if (HasFailure()) ADD_FAILURE() << "of " << to_hex(input);
}

void NodeTwice::cut_and_damage(const Rows& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    for (std::size_t length = kLeastKernelFrame; length < row.input.size(); ++length) {
      run_both({row.input.begin(), row.input.begin() + static_cast<std::ptrdiff_t>(length)});
    }
    for (std::size_t at = 0; at < row.input.size(); ++at) {
      const std::uint8_t was = row.input[at];
      for (const int value : {0, 0xff, was ^ 1, was ^ 0x40, was + 4}) {
        Bytes damaged = row.input;
        damaged[at] = static_cast<std::uint8_t>(value);
        run_both(damaged);
      }
      if (HasFailure()) return;
    }
  }
}

}  // namespace gatehouse::test
