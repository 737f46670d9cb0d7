#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "cores/cores.h"
#include "inference/pipeline/device_work.h"
#include "inference/pipeline/devices.h"
#include "inference/pipeline/host_cpu.h"
#include "inference/pipeline/pipeline.h"
#include "logging/log.h"
#include "ssd1b/pipeline.h"

namespace ssd1b {

std::unique_ptr<Engine> open_model(const ModelOptions& options) {
  const c10::Device device = open_device(options.device);  // before any other torch call
  const c10::InferenceMode no_gradients;
  set_up_device(device);
  at::set_num_threads(options.threads > 0 ? options.threads : usable_cores());
  try {
    auto pipeline = std::make_unique<Pipeline>(options, device);
    const ModelInfo& model = pipeline->model();
    log_info("model loaded", {{"type", model.type},
                              {"device", model.device},
                              {"dtype", model.dtype},
                              {"vae_dtype", model.vae_dtype},
                              {"threads", at::get_num_threads()}});
    if (device.is_cpu() && options.dtype == "auto" && has_native_bfloat16()) {
      log_info("this CPU computes bfloat16 itself: --dtype bfloat16 is about twice as fast");
    }
    return pipeline;
  } catch (const c10::OutOfMemoryError&) {
    throw Error(ErrorCode::NoDevice,
                "device " + options.device + " has not enough free memory for the model");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::OutOfMemory || device.is_cpu()) throw;
    throw Error(ErrorCode::NoDevice, error.what());
  }
}

}  // namespace ssd1b
