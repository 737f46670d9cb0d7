#include "ssd1b/engine.h"

namespace ssd1b {

GeneratedImage generate(Engine& engine, const GenerationRequest& request,
                        const std::function<void(const PictureProgress&)>& on_progress) {
  constexpr PictureId kId = 1;
  engine.admit(kId, request);
  for (;;) {
    for (PictureEvent& event : engine.step()) {
      if (auto* finished = std::get_if<PictureFinished>(&event.what)) {
        return std::move(finished->result);
      }
      if (auto* failed = std::get_if<PictureFailed>(&event.what)) {
        throw Error(failed->code, failed->message);
      }
      if (auto* progress = std::get_if<PictureProgress>(&event.what); progress && on_progress) {
        on_progress(*progress);
      }
    }
  }
}

}  // namespace ssd1b
