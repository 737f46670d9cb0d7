#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ssd1b {

// Texts as values: the whole text or nothing; no blanks around it, no other base. nullopt where the
// text is not such a value.

/// -12, 0, 64.
std::optional<std::int64_t> integer_of(const std::string& text);
/// 0 to 2^64-1.
std::optional<std::uint64_t> unsigned_of(const std::string& text);
/// A finite decimal number: 25, 0.5, 1e-3.
std::optional<double> number_of(const std::string& text);
/// true, false, 1, 0.
std::optional<bool> boolean_of(const std::string& text);
/// Bytes: 1048576, 512MiB, 5.5GiB, 2GB; at least 1 MiB.
std::optional<std::int64_t> bytes_of(const std::string& text);

/// Well-formed UTF-8 without control characters but tab and newline.
bool is_plain_text(const std::string& text);

/// `auto`, `cpu`, `cuda`, or a list of `cpu` and `cuda:N` without doubles.
bool is_device_list(const std::string& text);

/// An origin as browsers send it: scheme://host or scheme://host:port, http or https, in lower case
/// and without the scheme's own port. Another one would match nothing.
bool is_origin(const std::string& text);

/// FILE or FILE:SCALE with a finite scale.
bool is_lora(const std::string& text);

/// A value as messages show it: in quotes, control characters escaped, long ones cut.
std::string in_quotes(const std::string& text);

}  // namespace ssd1b
