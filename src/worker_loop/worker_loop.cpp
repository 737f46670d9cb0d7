#include "worker_loop/worker_loop.h"

#include "worker_loop/device_loop.h"
#include "worker_loop/server_link.h"

namespace ssd1b {

int run_worker(int descriptor, const OpenEngine& open_engine) {
  ServerLink server(descriptor);
  return DeviceLoop(open_engine, server).run();
}

}  // namespace ssd1b
