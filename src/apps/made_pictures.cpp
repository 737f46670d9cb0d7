#include "apps/made_pictures.h"

#include <cstdio>
#include <cstring>
#include <limits>

#include "apps/picture_files.h"
#include "apps/progress_bar.h"
#include "inference/weights/safetensors_writer.h"
#include "service/image_files/image_files.h"
#include "service/image_files/picture_settings.h"

namespace ssd1b {
namespace {

/// All pictures' latents as one tensor [N, C, h, w].
void write_latents(const std::filesystem::path& file, const std::vector<float>& values, int count,
                   const GenerationRequest& request, const ModelInfo& model) {
  TensorData latents;
  latents.shape = {count, model.latent_channels, request.height_px / model.vae_scale_factor,
                   request.width_px / model.vae_scale_factor};
  latents.bytes.resize(values.size() * sizeof(float));
  std::memcpy(latents.bytes.data(), values.data(), latents.bytes.size());
  write_safetensors(file, {{"latents", latents}});
}

void check_seeds(const GenerationRequest& first, int count) {
  const auto most =
      std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(count - 1);
  if (first.seed > most) {
    throw Error(ErrorCode::Usage, "--seed must leave room for --num-images seeds below 2^64, got " +
                                      std::to_string(first.seed) + " and " + std::to_string(count));
  }
}

/// A picture may take minutes: what cannot be written is to be known before.
void check_outputs(const GenerateOptions& options) {
  for (int i = 0; i < options.num_images; ++i) {
    check_can_write(numbered(options.output, i, options.num_images));
  }
  if (options.latents) check_can_write(*options.latents);
}

}  // namespace

void make_pictures(Engine& engine, const GenerationRequest& first, const GenerateOptions& options) {
  check_seeds(first, options.num_images);
  check_outputs(options);
  GenerationRequest request = first;
  std::vector<float> latents;
  for (int i = 0; i < options.num_images; ++i) {
    const std::filesystem::path file = numbered(options.output, i, options.num_images);
    request.seed = first.seed + static_cast<std::uint64_t>(i);
    GeneratedImage picture;
    {
      ProgressBar bar(file.filename().string());
      picture = generate(engine, request, [&](const PictureProgress& far) { bar.show(far); });
    }
    const std::string metadata =
        options.embed_metadata ? picture_settings(request, model_name(options.pipeline)) : "";
    write_file(file, encode(picture.image, image_format_named(options.output_format).value(),
                            options.quality, metadata));
    std::fprintf(stderr, "%s (seed %llu)\n", file.c_str(),
                 static_cast<unsigned long long>(request.seed));
    for (const Warning& warning : picture.warnings) {
      if (i == 0) std::fprintf(stderr, "warning: %s\n", warning.message.c_str());
    }
    latents.insert(latents.end(), picture.latents.begin(), picture.latents.end());
  }
  if (options.latents) {
    write_latents(*options.latents, latents, options.num_images, request, engine.model());
  }
}

}  // namespace ssd1b
