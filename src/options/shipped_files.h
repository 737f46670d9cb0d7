#pragma once

#include <filesystem>

namespace ssd1b {

/// The folder of the running program's file.
std::filesystem::path program_folder();

/// The folder `models` that comes with the project: beside the program as it is installed
/// (../share/ssd1b-server/models) or built (../../models), else that of the source tree it was
/// built from. Empty where there is none.
std::filesystem::path shipped_models_folder();

}  // namespace ssd1b
