#include "inference/weights/model_folder.h"
#include "ssd1b/error.h"

namespace ssd1b {

ModelFolder ModelFolder::open_single_file(const std::filesystem::path& path,
                                          const std::filesystem::path&) {
  SafetensorsFile::open(path);  // says what is wrong with a file that is no checkpoint at all
  throw Error(ErrorCode::BadModel,
              path.string() + ": must be a diffusers-layout folder, got a single file");
}

}  // namespace ssd1b
