#include "inference/pipeline/host_cpu.h"

#include <fstream>
#include <sstream>
#include <string>

namespace ssd1b {

bool has_native_bfloat16() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream flags(line);
    for (std::string flag; flags >> flag;) {
      if (flag == "avx512_bf16" || flag == "amx_bf16" || flag == "bf16") return true;
    }
    return false;
  }
  return false;
}

}  // namespace ssd1b
