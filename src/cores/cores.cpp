#include "cores/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string>

namespace ssd1b {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Cores within the affinity mask; hyper-threads of one core count once.
int physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  }
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string topology =
        "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list";
    const std::string siblings = first_line(topology);
    cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

/// CPUs that "quota period" allows; infinite for any other text.
double cpus_in(const std::string& limit) {
  std::istringstream line(limit);
  double quota_us = 0.0;
  double period_us = 0.0;
  if (line >> quota_us >> period_us && quota_us > 0.0 && period_us > 0.0) {
    return quota_us / period_us;
  }
  return std::numeric_limits<double>::infinity();
}

/// CPUs a cgroup-v2 group may use; "max", or no such file: no limit.
double cpu_limit_of(const std::string& group) {
  return cpus_in(first_line("/sys/fs/cgroup" + group + "/cpu.max"));
}

/// The lowest limit of this process's control groups, cgroup v2 and v1.
double control_group_limit() {
  double limit = cpu_limit_of("");  // inside a container the own group is the root
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::", 0) != 0) continue;
    for (std::string group = line.substr(3); group.size() > 1;
         group.erase(group.find_last_of('/'))) {
      limit = std::min(limit, cpu_limit_of(group));
    }
  }
  const std::string quota_us = first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");  // -1: none
  const std::string period_us = first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return std::min(limit, cpus_in(quota_us + " " + period_us));
}

}  // namespace

int usable_cores() {
  const double limit = std::min<double>(physical_cores(), control_group_limit());
  return std::max(1, static_cast<int>(std::floor(limit)));
}

}  // namespace ssd1b
