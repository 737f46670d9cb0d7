#include "service/dialects/reply_parts.h"

namespace ssd1b {

Json timings_json(const StageTimings& timings) {
  return {{"queue", timings.queue_ms},
          {"text_encoder", timings.text_encoder_ms},
          {"denoise", timings.denoise_ms},
          {"vae", timings.vae_ms},
          {"encode", timings.encode_ms}};
}

Json warnings_json(const std::vector<Warning>& warnings) {
  Json list = Json::array();
  for (const Warning& each : warnings) {
    list.push_back({{"code", each.code}, {"message", each.message}});
  }
  return list;
}

}  // namespace ssd1b
