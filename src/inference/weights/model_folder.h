#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inference/weights/component_weights.h"
#include "inference/weights/config_document.h"
#include "inference/weights/generation_config.h"

namespace ssd1b {

/// A tensor without values by which a single file says how it was trained.
struct TrainingMark {
  const char* name;     // v_pred
  const char* setting;  // what it asks of scheduler_config.json, as that writes it
};

/// A model on disk, opened: every config parsed, every weight file's header checked, no weight
/// read. A diffusers-layout folder or a single-file checkpoint; users do not see which.
class ModelFolder {
 public:
  /// Opens a folder, or a single file with the family configs and CLIP's vocabulary of
  /// `shipped_models` (the project's models/). `variant`: prefer *.VARIANT.safetensors; empty:
  /// plain files, then fp16. Blocks on the disk. Throws Error(BadModel) that names the file.
  static ModelFolder open(const std::filesystem::path& path, const std::string& variant,
                          const std::filesystem::path& shipped_models = {});

  const std::filesystem::path& path() const { return path_; }
  /// The config of unet, vae, text_encoder, text_encoder_2 or scheduler. A component that no model
  /// of ours has is a bug: Error(InternalError).
  const ConfigDocument& config(const std::string& component) const;
  /// The class that model_index.json gives a component, as EulerDiscreteScheduler.
  const std::string& class_of(const std::string& component) const;
  /// The weights of unet, vae, text_encoder or text_encoder_2.
  const ComponentWeights& weights(const std::string& component) const;
  /// The same, to add changes to.
  ComponentWeights& weights(const std::string& component);
  /// The folder of tokenizer or tokenizer_2: vocab.json and merges.txt, or CLIP's own that come
  /// with the project.
  const std::filesystem::path& tokenizer(const std::string& component) const;
  const GenerationConfig& generation() const { return generation_; }
  /// Marks that a single file has; like diffusers, nobody follows them.
  const std::vector<TrainingMark>& training_marks() const { return training_marks_; }
  /// force_zeros_for_empty_prompt of model_index.json; true where it is absent, as in diffusers.
  bool force_zeros_for_empty_prompt() const;

 private:
  static ModelFolder open_folder(const std::filesystem::path& path, const std::string& variant);
  static ModelFolder open_single_file(const std::filesystem::path& path,
                                      const std::filesystem::path& shipped_models);
  void read_classes();
  explicit ModelFolder(ConfigDocument index) : index_(std::move(index)) {}

  std::filesystem::path path_;
  ConfigDocument index_;
  std::map<std::string, ConfigDocument> configs_;
  std::map<std::string, std::string> classes_;
  std::map<std::string, ComponentWeights> weights_;
  std::map<std::string, std::filesystem::path> tokenizers_;
  GenerationConfig generation_;
  std::vector<TrainingMark> training_marks_;
};

}  // namespace ssd1b
