#include "inference/weights/weight_files.h"

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>

#include "inference/weights/config_document.h"
#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw Error(ErrorCode::BadModel, file.string() + ": " + what);
}

/// Whether a name is there; a link that leads nowhere is, so that opening it says what is wrong.
bool is_there(const fs::path& file) {
  std::error_code ignored;
  const fs::file_type type = fs::symlink_status(file, ignored).type();
  return type != fs::file_type::not_found && type != fs::file_type::none;
}

std::string shard_name_of(const ConfigDocument& map, const std::string& tensor) {
  std::string name = map.text(tensor);
  const bool is_plain = name.find('/') == std::string::npos &&
                        fs::path(name).extension() == ".safetensors" && name.front() != '.';
  map.require(is_plain, tensor, "the name of a .safetensors file of the same folder");
  return name;
}

/// Opens every shard and checks that each tensor is where the index says, and no other is there.
std::vector<SafetensorsFile> open_shards(const fs::path& index_file) {
  const ConfigDocument index = ConfigDocument::read(index_file, kMaxIndexBytes);
  const ConfigDocument map = index.object("weight_map");
  std::map<std::string, std::vector<std::string>> shards;  // by file: its tensors
  for (const std::string& tensor : map.keys()) {
    shards[shard_name_of(map, tensor)].push_back(tensor);
  }
  index.require(!shards.empty(), "weight_map", "a map of tensors to files");
  std::vector<SafetensorsFile> files;
  for (const auto& [name, tensors] : shards) {
    files.push_back(SafetensorsFile::open(index_file.parent_path() / name));
    for (const std::string& tensor : tensors) {
      if (files.back().find(tensor) == nullptr) {
        fail(files.back().path(), "must hold tensor " + shown(tensor) + ", as " +
                                      index_file.filename().string() + " says, got none");
      }
    }
    for (const TensorInfo& tensor : files.back().tensors()) {
      if (!std::binary_search(tensors.begin(), tensors.end(), tensor.name)) {
        fail(files.back().path(), "tensor " + shown(tensor.name) + ": must be one that " +
                                      index_file.filename().string() +
                                      " places here, got one that it does not");
      }
    }
  }
  return files;
}

/// The names that an index of shards may have: diffusers and transformers put the variant into
/// different places, and changed their minds.
std::vector<std::string> index_names(const std::string& stem, const std::string& variant) {
  const std::string base = stem + ".safetensors";
  if (variant.empty()) return {base + ".index.json"};
  return {base + ".index." + variant + ".json", base + "." + variant + ".index.json"};
}

/// The files of exactly this variant; nothing where there are none.
std::optional<std::vector<SafetensorsFile>> files_of_variant(const fs::path& folder,
                                                             const WeightFileQuery& query,
                                                             const std::string& variant) {
  const fs::path whole =
      folder / (query.stem + (variant.empty() ? "" : "." + variant) + ".safetensors");
  const bool has_whole = is_there(whole);
  if (has_whole && !query.prefers_shards) return {{SafetensorsFile::open(whole)}};
  for (const std::string& name : index_names(query.stem, variant)) {
    if (is_there(folder / name)) return open_shards(folder / name);
  }
  if (has_whole) return {{SafetensorsFile::open(whole)}};
  return std::nullopt;
}

}  // namespace

std::string weights_instead(const fs::path& folder, const std::string& stem) {
  std::vector<std::string> pickles, variants;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const std::string ending = entry.path().extension().string();
    if (ending == ".bin" || ending == ".ckpt" || ending == ".pt" || ending == ".pth") {
      pickles.push_back(name);
    } else if (ending == ".safetensors" && starts_with(name, stem + ".")) {
      variants.push_back(name);
    }
  }
  if (!variants.empty()) {
    const std::string name = *std::min_element(variants.begin(), variants.end());
    const std::size_t begin = stem.size() + 1;
    return "got " + name + ", which is read with --variant " +
           name.substr(begin, name.find_first_of(".-", begin) - begin);
  }
  if (pickles.empty()) return "got none";
  return "got only " + *std::min_element(pickles.begin(), pickles.end()) +
         ": pickles are never loaded, convert it to safetensors";
}

WeightFiles find_weight_files(const fs::path& folder, const WeightFileQuery& query) {
  const std::vector<std::string> variants = query.variant.empty()
                                                ? std::vector<std::string>{"", "fp16"}
                                                : std::vector<std::string>{query.variant, ""};
  for (const std::string& variant : variants) {
    std::optional<std::vector<SafetensorsFile>> files = files_of_variant(folder, query, variant);
    if (files) {
      return {*std::move(files), !query.variant.empty() && variant == query.variant};
    }
  }
  const std::string other = query.variant.empty() ? "fp16" : query.variant;
  fail(folder, "must hold " + query.stem + ".safetensors or " + query.stem + "." + other +
                   ".safetensors, " + weights_instead(folder, query.stem));
}

}  // namespace ssd1b
