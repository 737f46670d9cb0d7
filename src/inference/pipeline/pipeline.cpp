#include "inference/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>

#include "inference/pipeline/faults.h"
#include "inference/vae/tiled_decode.h"

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

}  // namespace

Pipeline::Pipeline(const ModelOptions& options, const c10::Device& device)
    : model_(options, device),
      // On the CPU sharing gains nothing and changes the low bits of a picture.
      shares_calls_(!device.is_cpu() && !options.batch_invariant),
      keep_latents_(options.keep_latents),
      prompts_(model_),
      unet_([this](const UNetInput& input) { return model_.unet(input, model_.tick); },
            options.cuda_graphs ? device_graphs(device) : MakeDeviceGraph(),
            model_.memory.graph_room()),
      fence_(device) {
  prove_kernels(device, model_.precision);
}

bool Pipeline::has_room_for(const GenerationRequest&) const {
  return true;  // the caller keeps the count below ModelInfo::max_pictures
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
  Picture& picture = next_picture();
  std::vector<PictureEvent> events;
  try {
    switch (picture.stage()) {
      case Picture::Stage::Encode:
        encode(picture);
        break;
      case Picture::Stage::Denoise:
        events = denoise(picture);
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

Picture& Pipeline::next_picture() {
  std::vector<Turn> turns;
  turns.reserve(pictures_.size());
  for (const auto& picture : pictures_) {
    // Where calls are shared, a picture that has its prompt costs the others nothing any more.
    const bool is_to_join = shares_calls_ && picture->stage() == Picture::Stage::Encode;
    turns.push_back({picture->id(), is_to_join ? 0 : picture->calls_left()});
  }
  return *pictures_[turns_.next(turns)];
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
}

void Pipeline::forget_shared() {
  shared_by_.clear();
  shared_ = UNetConditioning();
}

void Pipeline::encode(Picture& picture) {
  forget_shared();
  const auto begin = Stopwatch::now();
  picture.begin(prompts_.encode(picture.request()));
  picture.timings.text_encoder_ms += ms_since(begin);
}

std::vector<Picture*> Pipeline::group_of(Picture& leader) {
  std::vector<Picture*> group = {&leader};
  if (!shares_calls_) return group;
  const at::Tensor& latents = leader.latents();
  std::int64_t rows = leader.conditioning().rows();
  const std::int64_t most_rows = model_.memory.call_rows(latents.size(2), latents.size(3));
  for (const auto& picture : pictures_) {
    if (picture.get() != &leader && picture->stage() == Picture::Stage::Denoise &&
        picture->request().width_px == leader.request().width_px &&
        picture->request().height_px == leader.request().height_px &&
        rows + picture->conditioning().rows() <= most_rows) {
      rows += picture->conditioning().rows();
      group.push_back(picture.get());
    }
  }
  return group;
}

std::vector<PictureEvent> Pipeline::denoise(Picture& leader) {
  const auto begin = Stopwatch::now();
  const std::vector<Picture*> group = group_of(leader);
  std::vector<at::Tensor> inputs;
  std::vector<double> timesteps;
  for (const Picture* picture : group) {
    const std::int64_t rows = picture->conditioning().rows();
    inputs.push_back(picture->model_input());
    timesteps.insert(timesteps.end(), static_cast<std::size_t>(rows), picture->timestep());
  }
  const at::Tensor output =
      unet_({inputs.size() == 1 ? inputs.front() : at::cat(inputs),  // [rows of all, C, h, w]
             upload(at::tensor(timesteps, at::dtype(at::kFloat)), model_.device),
             conditioning_of(group)});

  std::vector<PictureEvent> events;
  std::int64_t row = 0;
  for (Picture* picture : group) {
    const std::int64_t rows = picture->conditioning().rows();
    const at::Tensor own = output.narrow(/*dim=*/0, row, rows);
    row += rows;
    try {
      picture->feed(own);
      events.push_back({picture->id(), picture->progress()});
    } catch (const std::exception& error) {  // of this picture alone
      events.push_back({picture->id(), fault_of(error)});
    }
  }
  fence_.mark();
  for (Picture* picture : group) picture->timings.denoise_ms += ms_since(begin);
  return events;
}

const UNetConditioning& Pipeline::conditioning_of(const std::vector<Picture*>& group) {
  if (group.size() == 1) return group.front()->conditioning();
  std::vector<PictureId> ids;
  std::vector<const UNetConditioning*> parts;
  for (const Picture* picture : group) {
    ids.push_back(picture->id());
    parts.push_back(&picture->conditioning());
  }
  if (ids != shared_by_) {
    forget_shared();
    shared_ = concat_rows(parts);
    shared_by_ = std::move(ids);
  }
  return shared_;
}

PictureEvent Pipeline::decode(Picture& picture) {
  if (!picture.has_begun()) encode(picture);  // told to finish before its first unit
  forget_shared();
  const auto rest_of_call = Stopwatch::now();
  fence_.wait();
  picture.timings.denoise_ms += ms_since(rest_of_call);
  const auto begin = Stopwatch::now();
  const at::Tensor& latents = picture.latents();
  if (!is_finite(latents)) {
    throw Error(ErrorCode::NonFiniteOutput, "the latents hold a value that is not finite");
  }
  const auto decoded = [&](const Vae& vae, at::ScalarType dtype) {
    const std::optional<std::int64_t> tile = model_.memory.tile(
        latents.size(2), latents.size(3), static_cast<std::int64_t>(at::elementSize(dtype)));
    if (!model_.memory.text_encoders_stay()) give_back_free_memory(model_.device);
    const at::Tensor input = latents.to(dtype);
    return tile ? decode_in_tiles(vae, input, *tile, model_.tick) : vae.decode(input, model_.tick);
  };
  at::Tensor pixels = decoded(model_.vae, model_.precision.vae);  // [1, 3, H, W]
  bool is_good = is_finite(pixels);
  if (!is_good && model_.precision.vae != at::kFloat) {
    pixels = decoded(model_.full_precision_vae(), at::kFloat);
    is_good = is_finite(pixels);
  }
  if (!is_good) {
    throw Error(ErrorCode::NonFiniteOutput, "the picture holds a value that is not finite");
  }
  GeneratedImage result = picture.result();
  result.image = to_image(pixels);
  if (keep_latents_) result.latents = to_floats(latents);
  result.timings.vae_ms = ms_since(begin);
  return {picture.id(), PictureFinished{std::move(result)}};
}

}  // namespace ssd1b
