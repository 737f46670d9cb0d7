#include "inference/vae/vae.h"

#include <ATen/ATen.h>

#include "inference/layers/cuda_kernels.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// One number a channel, to be combined with [B, C, h, w].
at::Tensor per_channel(const std::vector<double>& values, const at::Tensor& like) {
  // Rounded to float32 first, as diffusers' tensors of them are.
  return at::tensor(values, at::kFloat).to(like.options()).view({1, -1, 1, 1});
}

}  // namespace

Vae::Vae(const VaeConfig& config_of, VaeParts parts) : config(config_of), decoder(config_of) {
  const std::int64_t channels = config.latent_channels;
  if (config.has_post_quant_conv) {
    post_quant_conv.emplace(same_size_conv(channels, channels, /*kernel=*/1));
  }
  if (parts == VaeParts::Decoder) return;
  encoder.emplace(config);
  if (config.has_quant_conv) {
    quant_conv.emplace(same_size_conv(2 * channels, 2 * channels, /*kernel=*/1));
  }
}

at::Tensor Vae::from_model_space(const at::Tensor& latents) const {
  if (config.latents_std.empty()) return latents / config.scaling_factor;
  return latents * per_channel(config.latents_std, latents) / config.scaling_factor +
         per_channel(config.latents_mean, latents);
}

at::Tensor Vae::to_model_space(const at::Tensor& latents) const {
  if (config.latents_std.empty()) return latents * config.scaling_factor;
  return (latents - per_channel(config.latents_mean, latents)) * config.scaling_factor /
         per_channel(config.latents_std, latents);
}

at::Tensor Vae::decode(const at::Tensor& latents, const Tick& tick) const {
  at::Tensor hidden = from_model_space(latents).contiguous(at::MemoryFormat::ChannelsLast);
  if (post_quant_conv) hidden = (*post_quant_conv)(hidden);
  return decoder(hidden, tick);
}

LatentDistribution Vae::encode(const at::Tensor& pixels, const Tick& tick) const {
  if (!encoder) throw Error(ErrorCode::InternalError, "the VAE has no encoder: this is a bug");
  at::Tensor hidden = (*encoder)(pixels.contiguous(at::MemoryFormat::ChannelsLast), tick);
  if (quant_conv) hidden = (*quant_conv)(hidden);
  const std::vector<at::Tensor> halves = hidden.contiguous().chunk(2, 1);  // each [B, Cl, h, w]
  // The limits are those of diffusers' DiagonalGaussianDistribution.
  return {halves[0], at::exp(0.5 * at::clamp(halves[1], -30.0, 20.0))};
}

void visit_parameters(Vae& vae, const Scope& scope) {
  if (vae.encoder) visit_parameters(*vae.encoder, scope / "encoder");
  visit_parameters(vae.decoder, scope / "decoder");
  if (vae.quant_conv) visit_parameters(*vae.quant_conv, scope / "quant_conv");
  if (vae.post_quant_conv) visit_parameters(*vae.post_quant_conv, scope / "post_quant_conv");
}

std::vector<std::string> unvisited_prefixes(const Vae& vae) {
  if (vae.encoder) return {};
  return {"encoder.", "quant_conv."};
}

Image to_image(const at::Tensor& pixels) {
  const std::optional<at::Tensor> by_kernel = cuda_to_bytes(pixels);
  const at::Tensor bytes = by_kernel ? *by_kernel : aten_to_bytes(pixels);
  Image image;
  image.height_px = static_cast<int>(bytes.size(0));
  image.width_px = static_cast<int>(bytes.size(1));
  image.rgb.resize(bytes.numel());
  at::from_blob(image.rgb.data(), bytes.sizes(), at::kByte).copy_(bytes);
  return image;
}

}  // namespace ssd1b
