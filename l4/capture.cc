#include "l4/capture.h"

#include <bpf/libbpf.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "common/bpf_object.h"
#include "common/config/findings.h"
#include "common/hex.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using control::Json;

constexpr std::uint32_t kMostPackets = 10'000;  // what one answer of the control protocol has room for
constexpr std::uint32_t kMostMilliseconds = 600'000;

Result<std::uint32_t> number_in(const Json& params, const char* name, std::uint32_t otherwise, std::uint32_t most) {
  const auto found = params.find(name);
  if (found == params.end()) return otherwise;
  const bool is_good = found->is_number_unsigned() && *found >= 1u && *found <= most;
  if (is_good) return found->get<std::uint32_t>();
  return Error{std::string("capture: expected ") + name + " from 1 to " + std::to_string(most) + ", found " + found->dump()};
}

Status set_vip(gh_capture_filter& filter, const std::string& name, const Director& director) {
  std::vector<std::string> names;
  for (const config::Vip& vip : director.config().vips) {
    names.push_back(vip.name);
    const bool is_it = vip.name == name || to_string(Endpoint{vip.address, vip.port}) == name;
    if (!is_it) continue;
    filter.address = to_table_address(vip.address);
    filter.port = htons(vip.port);
    filter.protocol = vip.protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP;
    return {};
  }
  return Error{"there is no VIP \"" + name + "\"" + config::suggest(name, names)};
}

Status set_verdict(gh_capture_filter& filter, const std::string& name) {
  const auto found = std::find(std::begin(gh_verdict_names), std::end(gh_verdict_names), name);
  if (found != std::end(gh_verdict_names)) {
    filter.verdicts |= std::uint64_t{1} << (found - std::begin(gh_verdict_names));
    return {};
  }
  const std::vector<std::string> names(std::begin(gh_verdict_names), std::end(gh_verdict_names));
  return Error{"there is no verdict \"" + name + "\"" + config::suggest(name, names)};
}

// The kernel's monotonic clock as time since 1970.
std::int64_t since_1970(std::uint64_t monotonic) {
  timespec wall{}, now{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec; };
  return nanoseconds(wall) - nanoseconds(now) + static_cast<std::int64_t>(monotonic);
}

Json frame_of(const gh_captured& record, int place) {
  const std::size_t kept = std::min<std::size_t>(record.lengths[place], GH_CAPTURE_BYTES);
  return {{"length", record.lengths[place]}, {"bytes", to_hex({record.bytes[place], kept})}};
}

}  // namespace

Result<Capture::Request> Capture::parse(const Json& params, const Director& director) {
  Request request;
  const auto sample = number_in(params, "sample", 1, 1'000'000);
  const auto count = number_in(params, "count", 1'000, kMostPackets);
  const auto longest = number_in(params, "milliseconds", 10'000, kMostMilliseconds);
  for (const auto* number : {&sample, &count, &longest}) {
    if (!*number) return number->error();
  }
  request.filter.sample = *sample;
  request.count = *count;
  request.longest = Duration(*longest);
  for (const char* name : {"vip", "verdict"}) {
    const auto found = params.find(name);
    if (found == params.end()) continue;
    if (!found->is_string()) return Error{std::string("capture: expected a name as ") + name};
    const std::string text = found->get<std::string>();
    const Status set = std::string_view(name) == "vip" ? set_vip(request.filter, text, director) : set_verdict(request.filter, text);
    if (!set) return set.error();
  }
  return request;
}

Capture::Capture(EventLoop& loop, DataPlane& plane, const Request& request, control::Reply reply, std::function<void()> ended)
    : loop_(loop), plane_(plane), request_(request), reply_(std::move(reply)), ended_(std::move(ended)) {}

Capture::~Capture() {
  watch_.stop();
  if (!ring_) return;
  plane_.stop_capture();
  ring_buffer__free(ring_);
}

Status Capture::start() {
  const auto descriptor = plane_.start_capture(request_.filter);
  if (!descriptor) return descriptor.error();
  ring_ = ring_buffer__new(*descriptor, &Capture::on_record, this, nullptr);
  if (!ring_) {
    plane_.stop_capture();
    return system_error("cannot read the capture's ring buffer");
  }
  watch_.start<&Capture::on_ready>(loop_, ring_buffer__epoll_fd(ring_), EPOLLIN, this);
  end_.arm<&Capture::finish>(loop_, request_.longest, this);
  return {};
}

int Capture::on_record(void* self, void* data, std::size_t size) {
  auto& capture = *static_cast<Capture*>(self);
  const auto& record = *static_cast<const gh_captured*>(data);
  if (size < sizeof record || record.verdict >= GH_VERDICT_COUNT || capture.packets_.size() >= capture.request_.count) return 0;
  char name[IF_NAMESIZE] = "";
  if_indextoname(record.interface, name);
  capture.packets_.push_back({{"time", since_1970(record.time)},
                              {"interface", name},
                              {"verdict", gh_verdict_names[record.verdict]},
                              {"in", frame_of(record, 0)},
                              {"out", frame_of(record, 1)}});
  return 0;
}

void Capture::on_ready(std::uint32_t) {
  ring_buffer__consume(ring_);
  if (packets_.size() >= request_.count) finish();
}

void Capture::finish() {
  watch_.stop();
  end_.cancel();
  ring_buffer__consume(ring_);
  reply_(Json{{"packets", std::move(packets_)}});
  ended_();
}

}  // namespace gatehouse::l4
