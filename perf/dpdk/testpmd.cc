#include "perf/dpdk/testpmd.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace gatehouse::perf {

Result<double> measure_testpmd(const std::string& mode, int seconds) {
  const std::string command = "timeout -s INT " + std::to_string(seconds + 2) +
                              " dpdk-testpmd --no-huge --no-shconf --no-telemetry -m 256 --no-pci -l 0,1 --vdev=net_null0,size=64 "
                              "--vdev=net_null1,size=64 -- --forward-mode=" + mode +
                              " --total-num-mbufs=8191 --stats-period=1 2>/dev/null </dev/null";
  FILE* output = popen(command.c_str(), "r");
  if (!output) return system_error("dpdk-testpmd");
  std::vector<double> rates;  // one per port and second
  char line[512];
  while (std::fgets(line, sizeof line, output)) {
    const char* rate = std::strstr(line, "Rx-pps:");
    if (rate) rates.push_back(std::strtod(rate + std::strlen("Rx-pps:"), nullptr));
  }
  pclose(output);
  // Two ports, and a first report before there is anything to report.
  if (rates.size() < 6) return Error{"dpdk-testpmd reported nothing: is dpdk-dev installed?"};
  std::vector<double> sums;
  for (std::size_t i = 2; i + 1 < rates.size(); i += 2) sums.push_back(rates[i] + rates[i + 1]);
  std::nth_element(sums.begin(), sums.begin() + static_cast<std::ptrdiff_t>(sums.size() / 2), sums.end());
  return sums[sums.size() / 2];
}

}  // namespace gatehouse::perf
