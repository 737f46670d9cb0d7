#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace ssd1b {

/// `folder/apple.png` itself for the only picture of one, else `folder/apple-1.png` for the first.
std::filesystem::path numbered(const std::filesystem::path& file, int index, int count);

/// Replaces the file. Throws Error(SystemRefused) that names it.
void write_file(const std::filesystem::path& file, const std::string& bytes);

/// Throws as write_file would, and leaves the file as it is.
void check_can_write(const std::filesystem::path& file);

}  // namespace ssd1b
