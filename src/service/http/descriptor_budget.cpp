#include "service/http/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>

#include "logging/log.h"

namespace ssd1b {
namespace {

constexpr long kOtherDescriptors = 48;  // logs, pipes, workers
constexpr int kFewestConnections = 8;

}  // namespace

int refused_beside(int max_connections) { return std::max(1, max_connections / 8); }

long descriptors_of(int max_connections) {
  return max_connections == 0 ? 0 : max_connections + refused_beside(max_connections);
}

int connections_within(long descriptors, int wanted, int management) {
  const long left = descriptors - kOtherDescriptors - descriptors_of(management);
  if (descriptors_of(wanted) <= left) return wanted;
  return static_cast<int>(std::min<long>(wanted, std::max<long>(kFewestConnections, left * 8 / 9)));
}

int connections_that_fit(int wanted, int management) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  const auto needed =
      static_cast<rlim_t>(descriptors_of(wanted) + descriptors_of(management) + kOtherDescriptors);
  if (limit.rlim_cur < needed) {
    const rlimit raised{std::min(needed, limit.rlim_max), limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const auto descriptors = static_cast<long>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
  const int fit = connections_within(descriptors, wanted, management);
  if (fit < wanted) {
    log_warn("the limit of open files allows fewer connections than configured",
             {{"configured", wanted}, {"allowed", fit}, {"open_files", descriptors}});
  }
  return fit;
}

}  // namespace ssd1b
