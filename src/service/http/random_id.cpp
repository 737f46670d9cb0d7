#include "service/http/random_id.h"

#include <sys/random.h>

#include <array>

#include "ssd1b/error.h"

namespace ssd1b {

std::string random_id() {
  constexpr const char* kDigits = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) < 0) {  // never once the system is up
    throw Error(ErrorCode::SystemRefused, "the system gave no random bytes");
  }
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace ssd1b
