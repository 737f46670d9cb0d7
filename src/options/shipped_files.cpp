#include "options/shipped_files.h"

namespace ssd1b {

std::filesystem::path program_folder() {
  std::error_code fault;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", fault);
  return fault ? std::filesystem::path(".") : program.parent_path();
}

std::filesystem::path shipped_models_folder() {
  const std::filesystem::path here = program_folder();
  for (const std::filesystem::path& folder :
       {here / "../share/ssd1b-server/models", here / "../../models",
        std::filesystem::path(SSD1B_SOURCE_MODELS)}) {
    std::error_code fault;
    if (std::filesystem::exists(folder / "icons" / "model_index.json", fault)) {
      const auto plain = std::filesystem::canonical(folder, fault);
      return fault ? folder : plain;
    }
  }
  return {};
}

}  // namespace ssd1b
