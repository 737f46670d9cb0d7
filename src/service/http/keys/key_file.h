#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssd1b {

using KeyDigest = std::array<unsigned char, 32>;  // SHA-256 of a key

/// One line of a key file.
struct KeyEntry {
  std::string name;
  KeyDigest digest;
  bool is_plain_text = false;        // the file holds the key itself, not its SHA-256
  std::optional<double> rate_per_s;  // requests a second; none: no limit
  double burst = 1;                  // requests at once, of those that the rate allows
  std::optional<int> concurrency;    // requests for pictures at a time; none: no limit
};

struct KeyFile {
  std::vector<KeyEntry> entries;
  std::vector<int> plain_text_lines;  // of keys in plain text
};

/// Reads `NAME:KEY [rate=N/s] [burst=N] [concurrency=N]`, a line a key; # begins a comment line.
/// `origin` names the text in messages. Throws Error(Usage) with the number of the line, never with
/// what it holds.
KeyFile parse_key_file(std::string_view text, const std::string& origin);

/// The same of a file of at most 1 MiB.
KeyFile read_key_file(const std::filesystem::path& path);

KeyDigest digest_of(std::string_view key);

}  // namespace ssd1b
