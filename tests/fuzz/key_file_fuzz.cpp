// Any bytes as a key file: keys with sound limits, or one Error(Usage) that shows no key.
#include <cstdint>
#include <set>
#include <string>

#include "require.h"
#include "service/http/keys/key_file.h"
#include "ssd1b/error.h"

namespace {

void check(const ssd1b::KeyFile& file) {
  std::set<std::string> names;
  std::set<ssd1b::KeyDigest> digests;
  require(!file.entries.empty(), "there is a key");
  for (const ssd1b::KeyEntry& entry : file.entries) {
    require(names.insert(entry.name).second, "names are unique");
    require(digests.insert(entry.digest).second, "keys are unique");
    require(!entry.name.empty() && entry.name.size() <= 64, "a name has 1 to 64 characters");
    require(!entry.rate_per_s || (*entry.rate_per_s > 0 && *entry.rate_per_s <= 1e6), "a rate");
    require(entry.burst >= 1 && entry.burst <= 1e6, "a burst");
    require(!entry.concurrency || *entry.concurrency >= 1, "a concurrency");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    check(ssd1b::parse_key_file({reinterpret_cast<const char*>(data), size}, "keys"));
  } catch (const ssd1b::Error& error) {
    require(error.code() == ssd1b::ErrorCode::Usage, "a fault of the file is one of usage");
    require(std::string(error.what()).size() < 200, "a message shows nothing of the file");
  }
  return 0;
}
