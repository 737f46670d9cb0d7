// Any bytes as the body of a request for pictures, in the dialect of the first byte: pictures that
// the model can make within the operator's limits, or one fault that is the client's own.
#include <cstdint>
#include <string>

#include "dialects/example_model.h"
#include "require.h"
#include "service/dialects/dialect.h"

namespace {

using ssd1b::ErrorCode;

const ssd1b::Dialect& dialect_of(std::uint8_t byte) {
  if (byte == 'A') return ssd1b::automatic1111_dialect();
  switch (byte % 4) {
    case 0:
      return ssd1b::native_dialect();
    case 1:
      return ssd1b::openai_dialect();
    case 2:
      return ssd1b::hugging_face_dialect();
    default:
      return ssd1b::segmind_dialect();
  }
}

void check(const ssd1b::ImageRequest& request, const ssd1b::ModelInfo& model,
           const ssd1b::RequestRules& rules) {
  const std::size_t count = request.pictures.size();
  require(count >= 1 && count <= static_cast<std::size_t>(rules.max_images), "1 to max_images");
  require(count == 1 || request.reply != ssd1b::ReplyKind::Bytes, "several need a JSON reply");
  require(request.quality >= 1 && request.quality <= 100, "a quality");
  require(request.timeout.count() >= 1 && request.timeout <= rules.request_timeout, "a timeout");
  std::uint64_t seed = request.pictures.front().seed;
  for (const ssd1b::GenerationRequest& picture : request.pictures) {
    check_request(picture, model);  // what it throws is a finding
    require(picture.seed == seed++, "seeds count up");
    require(std::int64_t{picture.width_px} * picture.height_px <= rules.max_pixels, "max_pixels");
  }
}

/// What a body may be told.
bool is_clients_fault(ErrorCode code) {
  return code == ErrorCode::InvalidJson || code == ErrorCode::InvalidValue ||
         code == ErrorCode::UnknownField || code == ErrorCode::MissingField ||
         code == ErrorCode::DuplicateField || code == ErrorCode::NotSupported ||
         code == ErrorCode::ModelNotFound;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ssd1b::ModelInfo model = ssd1b::example_model();
  const ssd1b::RequestRules rules = ssd1b::example_rules();
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  ssd1b::ImageRequest request;
  try {
    request = dialect_of(data[0]).parse(ssd1b::parse_json(body), {"", ""}, model, rules);
  } catch (const ssd1b::Error& error) {
    require(is_clients_fault(error.code()), "a bad body is the client's fault");
    require(std::string(error.what()).size() < 2000, "a message is short whatever the body");
    return 0;
  }
  check(request, model, rules);
  return 0;
}
