#include "inference/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "inference/pipeline/faults.h"
#include "inference/pipeline/row_order.h"
#include "inference/vae/tiled_decode.h"
#include "inference/weights/want_of_memory.h"
#include "logging/log.h"

namespace ssd1b {
namespace {

using Stopwatch = std::chrono::steady_clock;

double ms_since(Stopwatch::time_point begin) {
  return std::chrono::duration<double, std::milli>(Stopwatch::now() - begin).count();
}

bool is_finite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

/// [1, C, h, w] in the order of its elements.
std::vector<float> to_floats(const at::Tensor& latents) {
  const at::Tensor values = latents.to(at::kCPU, at::kFloat).contiguous();
  const float* begin = values.const_data_ptr<float>();
  return {begin, begin + values.numel()};
}

std::int64_t rows_of(const std::vector<Picture*>& pictures) {
  std::int64_t rows = 0;
  for (const Picture* picture : pictures) rows += picture->conditioning().rows();
  return rows;
}

RowOrder order_of(const std::vector<Picture*>& pictures) {
  std::vector<RowCounts> counts;
  for (const Picture* picture : pictures) {
    const std::int64_t without = picture->conditioning().rows_without_prompt();
    counts.push_back({without, picture->conditioning().rows() - without});
  }
  return RowOrder(std::move(counts));
}

at::Tensor decode_with(const Vae& vae, const at::Tensor& latents,
                       const std::optional<std::int64_t>& tile, const Tick& tick) {
  return tile ? decode_in_tiles(vae, latents, *tile, tick) : vae.decode(latents, tick);
}

std::int64_t latent_pixels_of(const Picture& picture) {
  return picture.latents().size(2) * picture.latents().size(3);
}

}  // namespace

Pipeline::Pipeline(const ModelOptions& options, const c10::Device& device)
    // On the CPU sharing gains nothing and changes the low bits of a picture.
    : Pipeline(options, device, /*shares_calls=*/!device.is_cpu() && !options.batch_invariant) {}

Pipeline::Pipeline(const ModelOptions& options, const c10::Device& device, bool shares_calls)
    : model_(options, device),
      shares_calls_(shares_calls),
      keep_latents_(options.keep_latents),
      prompts_(model_),
      unet_([this](const UNetInput& input) { return model_.unet(input, model_.tick); },
            options.cuda_graphs ? device_graphs(device) : MakeDeviceGraph(),
            model_.memory.graph_room()),
      fence_(device) {}

bool Pipeline::has_room_for(const GenerationRequest&) const {
  // Between its units a picture holds little, and units are made one by one; what one of them takes
  // is known roughly only: trying costs the others less than to be waited for.
  return true;
}

void Pipeline::admit(PictureId id, const GenerationRequest& request) {
  check_request(request, model_.info);
  if (find(id) != pictures_.end()) {
    throw Error(ErrorCode::InternalError,
                "picture " + std::to_string(id) + " is admitted twice: this is a bug");
  }
  pictures_.push_back(std::make_unique<Picture>(id, request, model_));
}

void Pipeline::cancel(PictureId id) { drop(id); }

void Pipeline::finish(PictureId id) {
  const auto found = find(id);
  if (found != pictures_.end()) (*found)->finish_early();
}

std::vector<PictureEvent> Pipeline::step() {
  if (pictures_.empty()) return {};
  const c10::InferenceMode no_gradients;
  const Unit unit = next_unit();
  Picture& picture = *unit.front();
  std::vector<PictureEvent> events;
  try {
    switch (picture.stage()) {
      case Picture::Stage::Encode:
        encode(picture);
        break;
      case Picture::Stage::Denoise:
        events = denoise(unit);
        break;
      case Picture::Stage::Preview:
        events = preview(picture);
        break;
      case Picture::Stage::Decode:
        events = {decode(picture)};
        break;
    }
  } catch (const std::exception& error) {
    events = {{picture.id(), fault_of(error)}};  // throws where the device is lost
  }
  for (const PictureEvent& event : events) {
    const auto* failed = std::get_if<PictureFailed>(&event.what);
    if (failed != nullptr && failed->code == ErrorCode::OutOfMemory) unet_.drop();
    if (failed != nullptr || std::holds_alternative<PictureFinished>(event.what)) drop(event.id);
  }
  return events;
}

Pipeline::Unit Pipeline::next_unit() {
  std::vector<Unit> units = possible_units();
  std::vector<Turn> turns(units.size());
  for (std::size_t i = 0; i < units.size(); ++i) {
    turns[i].calls_left = std::numeric_limits<int>::max();
    for (const Picture* picture : units[i]) {
      // Where calls are shared, a picture that has its prompt costs the others nothing any more.
      const bool is_to_join = shares_calls_ && picture->stage() == Picture::Stage::Encode;
      const int calls_left = is_to_join ? 0 : picture->calls_left();
      turns[i].ids.push_back(picture->id());
      turns[i].calls_left = std::min(turns[i].calls_left, calls_left);
    }
  }
  return std::move(units[turns_.next(turns)]);
}

std::vector<Pipeline::Unit> Pipeline::possible_units() const {
  std::vector<Unit> units;
  for (const auto& picture : pictures_) {
    const auto shared = std::find_if(units.begin(), units.end(),
                                     [&](const Unit& unit) { return may_join(unit, *picture); });
    if (shared == units.end()) {
      units.push_back({picture.get()});
    } else {
      shared->push_back(picture.get());
    }
  }
  return units;
}

bool Pipeline::may_join(const Unit& unit, const Picture& picture) const {
  const Picture& first = *unit.front();
  return shares_calls_ && first.stage() == Picture::Stage::Denoise &&
         picture.stage() == Picture::Stage::Denoise &&
         picture.request().width_px == first.request().width_px &&
         picture.request().height_px == first.request().height_px &&
         rows_of(unit) + picture.conditioning().rows() <= most_rows(picture);
}

std::int64_t Pipeline::most_rows(const Picture& picture) const {
  const at::Tensor& latents = picture.latents();
  return std::min(model_.memory.call_rows(latents.size(2), latents.size(3)),
                  call_pixels_ / latent_pixels_of(picture));
}

Pipeline::Pictures::iterator Pipeline::find(PictureId id) {
  return std::find_if(pictures_.begin(), pictures_.end(),
                      [&](const auto& picture) { return picture->id() == id; });
}

void Pipeline::drop(PictureId id) {
  const auto found = find(id);
  if (found == pictures_.end()) return;
  pictures_.erase(found);
  forget_shared();  // ids may come again
  turns_.forget(id);
  if (pictures_.empty()) call_pixels_ = kAnyPixels;  // there may be memory again
}

void Pipeline::with_memory(const std::function<void()>& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
  }
  log_warn("a unit of work is tried once more", {{"reason", "the device's memory ran out"}});
  forget_shared();
  unet_.drop();
  give_back_free_memory(model_.device);
  work();
}

void Pipeline::forget_shared() {
  shared_by_.clear();
  shared_.clear();
}

void Pipeline::encode(Picture& picture) {
  forget_shared();
  const auto begin = Stopwatch::now();
  with_memory([&] { picture.begin(prompts_.encode(picture.request())); });
  turns_.served(picture.id());
  picture.timings.text_encoder_ms += ms_since(begin);
}

std::vector<PictureEvent> Pipeline::denoise(const Unit& unit) {
  const auto begin = Stopwatch::now();
  std::vector<at::Tensor> outputs;  // one a picture
  try {
    with_memory([&] { outputs = call_unet(unit); });
  } catch (const std::exception& error) {
    if (unit.size() == 1 || !is_out_of_memory(error)) throw;
    call_pixels_ =
        rows_of({unit.begin(), unit.begin() + unit.size() / 2}) * latent_pixels_of(*unit.front());
    log_warn("fewer pictures share UNet calls", {{"pixels", call_pixels_}});
    return {};  // nobody was served: the next unit is theirs, by fewer
  }
  std::vector<PictureEvent> events;
  for (std::size_t i = 0; i < unit.size(); ++i) {
    Picture* picture = unit[i];
    turns_.served(picture->id());
    try {
      picture->feed(outputs[i]);
      events.push_back({picture->id(), picture->progress()});
    } catch (const std::exception& error) {  // of this picture alone
      events.push_back({picture->id(), fault_of(error)});
    }
  }
  fence_.mark();
  for (Picture* picture : unit) picture->timings.denoise_ms += ms_since(begin);
  return events;
}

std::vector<at::Tensor> Pipeline::call_unet(const Unit& unit) {
  std::vector<at::Tensor> inputs, times;
  for (const Picture* picture : unit) {
    inputs.push_back(picture->model_input());
    times.push_back(picture->times());
  }
  if (unit.size() == 1) return {unet_({inputs.front(), times.front(), prompts_of(unit)})};
  const RowOrder order = order_of(unit);
  return order.split(unet_({order.join(inputs), order.join(times), prompts_of(unit)}));
}

const PromptKeysValues& Pipeline::prompts_of(const Unit& unit) {
  if (unit.size() == 1) return unit.front()->conditioning().prompt;
  std::vector<PictureId> ids;
  std::vector<const PromptKeysValues*> parts;
  for (const Picture* picture : unit) {
    ids.push_back(picture->id());
    parts.push_back(&picture->conditioning().prompt);
  }
  if (ids != shared_by_) {
    forget_shared();
    shared_ = concat_rows(parts);
    shared_by_ = std::move(ids);
  }
  return shared_;
}

std::vector<PictureEvent> Pipeline::preview(Picture& picture) {
  picture.end_preview();
  turns_.served(picture.id());
  forget_shared();
  const auto begin = Stopwatch::now();
  std::vector<PictureEvent> events;
  try {
    fence_.wait();
    Image image;
    with_memory([&] { image = image_of(picture.latents()); });
    const PictureProgress progress = picture.progress();
    events.push_back(
        {picture.id(), PicturePreview{std::move(image), progress.step, progress.steps}});
  } catch (const std::exception& error) {
    // The picture itself may still become one, so only the loss of the device is a fault here.
    log_warn("a preview could not be made", {{"reason", fault_of(error).message}});
  }
  picture.timings.vae_ms += ms_since(begin);
  return events;
}

PictureEvent Pipeline::decode(Picture& picture) {
  if (!picture.has_begun()) encode(picture);  // told to finish before its first unit
  forget_shared();
  const auto rest_of_call = Stopwatch::now();
  fence_.wait();
  picture.timings.denoise_ms += ms_since(rest_of_call);
  const auto begin = Stopwatch::now();
  const at::Tensor& latents = picture.latents();
  GeneratedImage result = picture.result();
  with_memory([&] { result.image = image_of(latents); });
  if (keep_latents_) result.latents = to_floats(latents);
  result.timings.vae_ms += ms_since(begin);
  return {picture.id(), PictureFinished{std::move(result)}};
}

Image Pipeline::image_of(const at::Tensor& latents) {
  if (!is_finite(latents)) {
    throw Error(ErrorCode::NonFiniteOutput, "the latents hold a value that is not finite");
  }
  const auto decoded = [&](const Vae& vae, at::ScalarType dtype) {
    const std::optional<std::int64_t> tile = model_.memory.tile(
        latents.size(2), latents.size(3), static_cast<std::int64_t>(at::elementSize(dtype)));
    const at::Tensor input = latents.to(dtype);
    if (model_.memory.text_encoders_stay()) return decode_with(vae, input, tile, model_.tick);
    // What one block of the decoder leaves free is too small for the next one's larger pictures.
    const auto between_blocks = [&] {
      give_back_free_memory(model_.device);
      tick_once(model_.tick);
    };
    between_blocks();
    return decode_with(vae, input, tile, between_blocks);
  };
  at::Tensor pixels = decoded(model_.vae, model_.precision.vae);  // [1, 3, H, W]
  bool is_good = is_finite(pixels);
  if (!is_good && model_.precision.vae_may_overflow()) {
    pixels = decoded(model_.full_precision_vae(), at::kFloat);
    is_good = is_finite(pixels);
  }
  if (!is_good) {
    throw Error(ErrorCode::NonFiniteOutput, "the picture holds a value that is not finite");
  }
  return to_image(pixels);
}

}  // namespace ssd1b
