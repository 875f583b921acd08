// The front door on real interfaces, in a network of this test's own: several of them, their going and coming, upgrades that
// keep forwarding, and what follows after us.
#include "tests/bpf/builds.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <filesystem>

#include "bpf/capture.skel.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/link_watch.h"
#include "tests/lab/process.h"

namespace gatehouse::test {
namespace {

using std::filesystem::exists;

class AttachTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "Network namespaces and BPF need root.";
    before_ = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "This machine does not let us make a network namespace.";
    is_private_ = true;
    make_link("left", "left1");
    make_link("right.7", "right1");
  }
  void TearDown() override {
    plane_.reset();
    remove_pins(folder_);
    remove_pins(folder_ + "_next");
    if (is_private_) GH_CHECK(setns(before_.get(), CLONE_NEWNET) == 0);
  }

  static void ip(const lab::Arguments& words) {
    lab::Arguments command = {"ip"};
    command.insert(command.end(), words.begin(), words.end());
    const lab::Output output = lab::run({}, command);
    ASSERT_EQ(output.exit_code, 0) << output.errors;
  }
  static void make_link(const std::string& name, const std::string& peer) {
    ip({"link", "add", "name", name, "type", "veth", "peer", "name", peer});
    ip({"link", "set", name, "up"});
    ip({"link", "set", peer, "up"});
  }

  l4::XdpDataPlane::Options options(std::uint32_t ring_slots = 251) const {
    return {.pin_folder = folder_, .interfaces = {"left", "right.7"}, .ring_slots = ring_slots};
  }
  void open(const l4::XdpDataPlane::Options& options) {
    auto opened = l4::XdpDataPlane::open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    plane_ = std::move(*opened);
  }
  void attach() {
    const Status attached = plane_->attach();
    ASSERT_TRUE(attached) << attached.error().message;
  }
  // The id of the XDP program on an interface; 0: none.
  static __u32 program_on(const char* interface) {
    __u32 id = 0;
    bpf_xdp_query_id(static_cast<int>(if_nametoindex(interface)), 0, &id);
    return id;
  }
  std::string modes() const {
    std::string text;
    for (const l4::Port& port : plane_->ports()) text += port.name + "=" + port.mode + " ";
    return text;
  }

  const std::string folder_ = "/sys/fs/bpf/gatehouse_attach_test_" + std::to_string(getpid());
  std::unique_ptr<l4::XdpDataPlane> plane_;
  Fd before_;
  bool is_private_ = false;
};

TEST_F(AttachTest, SeveralInterfacesAreServed) {
  open(options());
  attach();
  EXPECT_EQ(modes(), "left=native right.7=native ");
  EXPECT_NE(program_on("left"), 0u);
  EXPECT_EQ(program_on("left"), program_on("right.7"));
}

TEST_F(AttachTest, GenericModeWhenAsked) {
  auto generic = options();
  generic.mode = XdpMode::kGeneric;
  open(generic);
  attach();
  EXPECT_EQ(modes(), "left=generic right.7=generic ");
}

TEST_F(AttachTest, AnInterfaceThatComesBackIsServedAgain) {
  open(options());
  attach();
  EventLoop loop;
  bool was_gone = false;
  LinkWatch watch(loop, [&](const std::string& interface, bool is_there) {
    if (interface == "left" && !is_there) was_gone = true;
    if (is_there) {
      const Status attached = plane_->attach_again(interface);
      EXPECT_TRUE(attached) << attached.error().message;
    }
  });
  ASSERT_TRUE(watch.start());
  ip({"link", "set", "left", "down"});
  ip({"link", "set", "left", "up"});
  ip({"link", "del", "left"});
  EXPECT_EQ(modes(), "left= right.7=native ");
  make_link("left", "left1");
  for (int turn = 0; turn < 500 && modes() != "left=native right.7=native "; ++turn) loop.turn(Duration(20));
  EXPECT_EQ(modes(), "left=native right.7=native ");
  EXPECT_TRUE(was_gone);
}

TEST_F(AttachTest, TheNextProcessAdoptsTablesAndReplacesTheProgram) {
  open(options());
  attach();
  plane_->tables().state->identities[0].mtu = 1234;
  const __u32 first = program_on("left");
  plane_.reset();
  EXPECT_EQ(program_on("left"), first) << "forwarding ended with the process";
  open(options());
  EXPECT_TRUE(plane_->was_adopted());
  EXPECT_EQ(plane_->tables().state->identities[0].mtu, 1234u);
  EXPECT_EQ(program_on("left"), first) << "replaced before the tables were looked at";
  attach();
  EXPECT_NE(program_on("left"), first);
  EXPECT_EQ(program_on("left"), program_on("right.7"));
}

TEST_F(AttachTest, TablesOfAnotherLayoutForwardUntilTheNewOnesAre) {
  open(options(251));
  attach();
  const __u32 first = program_on("left");
  plane_.reset();
  open(options(509));  // rings of another size: other tables
  EXPECT_FALSE(plane_->was_adopted());
  EXPECT_EQ(program_on("left"), first) << "the old program went before the new one is ready";
  EXPECT_TRUE(exists(folder_ + "/map_slots"));
  attach();
  EXPECT_NE(program_on("left"), first);
  EXPECT_FALSE(exists(folder_ + "_next"));
  plane_.reset();
  open(options(509));
  EXPECT_TRUE(plane_->was_adopted()) << "the new set is not in its place";
}

TEST_F(AttachTest, AVersionThatCannotAttachLeavesTheOldOneForwarding) {
  open(options(251));
  attach();
  const __u32 first = program_on("left");
  plane_.reset();
  auto wrong = options(509);
  wrong.interfaces = {"nowhere"};
  open(wrong);
  EXPECT_FALSE(plane_->attach());
  plane_.reset();
  EXPECT_EQ(program_on("left"), first);
  open(options(251));
  EXPECT_TRUE(plane_->was_adopted()) << "the tables that forward were given up";
}

TEST_F(AttachTest, AnotherProgramOnTheInterfaceIsNotTouched) {
  node_bpf* other = node_bpf__open_and_load();
  ASSERT_NE(other, nullptr);
  const int link = bpf_link_create(bpf_program__fd(other->progs.decapsulate), static_cast<int>(if_nametoindex("left")), BPF_XDP, nullptr);
  ASSERT_GE(link, 0);
  const Fd owned(link);
  open(options());
  const Status attached = plane_->attach();
  ASSERT_FALSE(attached);
  EXPECT_NE(attached.error().message.find("left has another XDP program"), std::string::npos) << attached.error().message;
  node_bpf__destroy(other);
}

// Sends a frame from the far end of `interface`.
void send_frame(const char* peer, const Bytes& frame) {
  const Fd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(peer));
  ASSERT_EQ(sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&address), sizeof address),
            static_cast<ssize_t>(frame.size()));
}

Bytes frame_to(const char* address) {
  return PacketBuilder().ethernet().ipv4("203.0.113.7", address).tcp(40000, 443).payload("hello").build();
}

TEST_F(AttachTest, WhatIsNotAVipsGoesOnToTheNextProgram) {
  // The node's program stands for another operator's: it counts what it gets.
  node_bpf* next = node_bpf__open();
  ASSERT_NE(next, nullptr);
  bpf_map__set_max_entries(next->maps.counts, static_cast<__u32>(libbpf_num_possible_cpus()));
  ASSERT_EQ(node_bpf__load(next), 0);
  const std::string pin = folder_ + "_other";
  ASSERT_EQ(bpf_obj_pin(bpf_program__fd(next->progs.decapsulate), pin.c_str()), 0);
  auto with_next = options();
  with_next.next_program = pin;
  open(with_next);
  Site site{0, {{gatehouse::test::ip("198.51.100.10"), 443, 6, 0, 0}}, {std::vector<std::uint64_t>(251, gh_slot(1, 0, 0, 0))}, 1};
  fill_front_door(*plane_, site);
  attach();
  const auto memory = map_memory(next->maps.counts);
  ASSERT_TRUE(memory);
  const std::span theirs(reinterpret_cast<const gh_counts*>(memory->data()), memory->size() / sizeof(gh_counts));
  send_frame("left1", frame_to("198.51.100.10"));
  send_frame("left1", frame_to("198.51.100.99"));
  const auto has_both = [&] {
    return l4::verdict_counts(theirs)[GH_NODE_NOT_TUNNEL] >= 1 && l4::verdict_counts(plane_->tables())[GH_FORWARDED] >= 1;
  };
  EXPECT_TRUE(lab::wait_until(has_both, std::chrono::seconds(10), std::chrono::milliseconds(10)));
  EXPECT_EQ(l4::verdict_counts(plane_->tables())[GH_FORWARDED], 1u);
  unlink(pin.c_str());
  node_bpf__destroy(next);
}

TEST_F(AttachTest, ANextProgramThatIsNotThereIsNamed) {
  auto with_next = options();
  with_next.next_program = folder_ + "/nothing";
  open(with_next);
  const Status attached = plane_->attach();
  ASSERT_FALSE(attached);
  EXPECT_NE(attached.error().message.find(with_next.next_program), std::string::npos) << attached.error().message;
}

int collect(void* records, void* data, std::size_t size) {
  if (size >= sizeof(gh_captured)) static_cast<std::vector<gh_captured>*>(records)->push_back(*static_cast<gh_captured*>(data));
  return 0;
}

TEST_F(AttachTest, CaptureShowsPacketsAsTheyCameAndAsTheyLeft) {
  open(options());
  Site site{0, {{gatehouse::test::ip("198.51.100.10"), 443, 6, 0, 0}}, {std::vector<std::uint64_t>(251, gh_slot(1, 0, 0, 0))}, 1};
  fill_front_door(*plane_, site);
  attach();
  gh_capture_filter filter{};
  filter.sample = 1;
  filter.address = l4::to_table_address(gatehouse::test::ip("198.51.100.10"));
  const auto descriptor = plane_->start_capture(filter);
  ASSERT_TRUE(descriptor) << descriptor.error().message;
  std::vector<gh_captured> records;
  ring_buffer* ring = ring_buffer__new(*descriptor, collect, &records, nullptr);
  ASSERT_NE(ring, nullptr);
  const Bytes frame = frame_to("198.51.100.10");
  send_frame("left1", frame_to("198.51.100.99"));
  send_frame("left1", frame);
  EXPECT_TRUE(lab::wait_until([&] { return ring_buffer__consume(ring) >= 0 && !records.empty(); }, std::chrono::seconds(10),
                              std::chrono::milliseconds(10)));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].verdict, static_cast<__u32>(GH_FORWARDED));
  EXPECT_EQ(records[0].interface, if_nametoindex("left"));
  ASSERT_EQ(records[0].lengths[0], frame.size());
  EXPECT_EQ(Bytes(records[0].bytes[0], records[0].bytes[0] + frame.size()), frame);
  const std::size_t grown = records[0].lengths[1];
  ASSERT_GT(grown, frame.size());
  EXPECT_EQ(Bytes(records[0].bytes[1] + 14 + grown - frame.size(), records[0].bytes[1] + grown), Bytes(frame.begin() + 14, frame.end()));

  plane_->stop_capture();
  send_frame("left1", frame);
  EXPECT_TRUE(lab::wait_until([&] { return verdict_counts(plane_->tables())[GH_FORWARDED] >= 2; }, std::chrono::seconds(10),
                              std::chrono::milliseconds(10)));
  ring_buffer__consume(ring);
  EXPECT_EQ(records.size(), 1u) << "captured after the end";
  ring_buffer__free(ring);
}

}  // namespace
}  // namespace gatehouse::test
