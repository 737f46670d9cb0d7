// Any bytes as a safetensors file of which the first two say how much data there is: a header whose
// every promise holds, or one Error(BadModel).
#include <cstdint>
#include <set>
#include <string>

#include "inference/weights/safetensors_header.h"
#include "require.h"
#include "ssd1b/error.h"

namespace {

/// The format's rules once more, counted another way.
void check(const ssd1b::SafetensorsHeader& header, std::uint64_t data_start,
           std::uint64_t file_bytes) {
  std::set<std::string> names;
  std::uint64_t expected = data_start;
  for (const ssd1b::TensorInfo& tensor : header.tensors) {
    require(!tensor.name.empty() && names.insert(tensor.name).second, "names once");
    require(tensor.offset == expected, "no hole, no overlap");
    __extension__ typedef unsigned __int128 Wide;
    Wide bits = static_cast<Wide>(bits_of(tensor.dtype));
    for (const std::int64_t size : tensor.shape) {
      require(size >= 0, "no negative size");
      bits = size == 0 ? 0 : bits * static_cast<Wide>(size);
      require(bits <= Wide{1} << 100, "sizes that fit");
      if (bits == 0) break;
    }
    require(bits == Wide{tensor.bytes} * 8, "bytes as the shape says");
    expected += tensor.bytes;
  }
  require(expected == file_bytes, "the tensors fill the file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::uint64_t data_start = 8 + text.size();
  const std::uint64_t file_bytes = data_start + data[0] + 256u * data[1];
  try {
    check(ssd1b::parse_safetensors_header(text, file_bytes, "a.safetensors"), data_start,
          file_bytes);
  } catch (const ssd1b::Error& error) {
    require(error.code() == ssd1b::ErrorCode::BadModel, "a bad header is a bad model");
    require(std::string(error.what()).size() < 1000, "a message is short whatever the header");
  }
  return 0;
}
