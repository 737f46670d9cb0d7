#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <unordered_set>

#include "ssd1b/engine.h"
#include "support/fault_words.h"

namespace ssd1b {

/// How the fake engine behaves, whatever the prompts say.
struct FakeEngineOptions {
  std::string device = "cpu";
  int max_pictures = 4;
  std::chrono::microseconds step_time{0};  // of every UNet call
  bool is_first_picture_nan = false;
  std::function<void()> tick;    // called as a real engine does, after every part of a unit
  std::function<void()> garble;  // ordered by `garbage`: writes bytes that are no frame
  /// Whether a fault with this key is here for the first time: across the lives of a worker where
  /// the files of SSD1B_FAKE_STATE_DIR remember it, else within one engine.
  std::function<bool(const std::string& key)> is_first_time;
};

/// An Engine that makes pictures in no time, the same ones for the same request, and has the faults
/// that prompts order (README.md). A unit of work is an encoding, a "UNet call" or a "decode", as
/// in the real one; pictures take turns, fewest calls left first.
class FakeEngine : public Engine {
 public:
  explicit FakeEngine(FakeEngineOptions options);

  const ModelInfo& model() const override { return model_; }
  bool has_room_for(const GenerationRequest& request) const override;
  void admit(PictureId id, const GenerationRequest& request) override;
  void cancel(PictureId id) override;
  void finish(PictureId id) override;
  std::vector<PictureEvent> step() override;

  int steps_taken() const { return steps_taken_; }  // units of work since the start

 private:
  struct Picture {
    PictureId id = 0;
    GenerationRequest request;
    FaultWords words;
    int calls = 0;
    int calls_done = 0;
    int previews_made = 0;
    bool is_encoded = false;
    bool is_to_finish = false;
    int passed_over = 0;
  };
  using Outcome = std::vector<PictureEvent>;

  Picture& next_picture();
  Outcome call_unet(Picture& picture);
  Outcome decode(const Picture& picture);
  static Outcome preview(const Picture& picture);
  std::optional<Outcome> commit_faults(const Picture& picture);
  Outcome commit(const Fault& fault, const Picture& picture);
  Outcome end(PictureId id, PictureEvent event);
  void spend(std::chrono::microseconds time) const;

  FakeEngineOptions options_;
  ModelInfo model_;
  std::vector<Picture> pictures_;  // in order of arrival
  std::unordered_set<std::string> seen_faults_;
  int steps_taken_ = 0;
  bool has_made_one_ = false;
};

/// The model that the fake engine says it is.
ModelInfo fake_model(const std::string& device = "cpu", int max_pictures = 4);

/// The picture that the fake engine makes of a request after so many of its UNet calls.
Image fake_picture(const GenerationRequest& request, int calls);

/// The same after all of them: what a test expects.
Image fake_picture(const GenerationRequest& request);

}  // namespace ssd1b
