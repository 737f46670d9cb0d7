#include "service/dialects/model_names.h"

#include <algorithm>
#include <array>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Clients with one of these built in work, unless the operator chose names.
constexpr std::array<const char*, 8> kOpenAiNames = {
    "dall-e-2",      "dall-e-3",    "gpt-image-1",      "gpt-image-1-mini",
    "gpt-image-1.5", "gpt-image-2", "gpt-image-latest", "chatgpt-image-latest"};

}  // namespace

void check_model_name(const std::string& name, const std::string& param,
                      const RequestRules& rules) {
  const auto& ours = rules.model_names;
  if (std::find(ours.begin(), ours.end(), name) != ours.end()) return;
  if (rules.takes_openai_names &&
      std::find(kOpenAiNames.begin(), kOpenAiNames.end(), name) != kOpenAiNames.end()) {
    return;
  }
  std::string list;
  for (const std::string& each : ours) list += (list.empty() ? "" : ", ") + each;
  throw Error(ErrorCode::ModelNotFound, "the model must be one of " + list + ", got another name",
              param);
}

}  // namespace ssd1b
