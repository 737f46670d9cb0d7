#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/dialects/image_request.h"
#include "service/dialects/json_text.h"

namespace ssd1b {

/// One picture as a file, ready to be sent.
struct PictureFile {
  std::string bytes;
  std::uint64_t seed = 0;
  std::string url;  // of ReplyKind::JsonLinks
};

/// The answer to an ImageRequest, in no dialect yet.
struct PictureReply {
  std::int64_t created_at_s = 0;  // since 1970
  std::string model;
  std::vector<PictureFile> files;  // in the order of the request's pictures
  int prompt_tokens = 0;
  int prompt_token_limit = 0;
  std::vector<Warning> warnings;
  StageTimings timings;  // of all pictures together; queue: the longest wait
};

/// What a dialect needs to know beside the body.
struct RequestContext {
  std::string accept;          // the Accept header
  std::string path_model;      // the model that the path names; empty where it names none
  std::string_view body = {};  // the JSON text, to show its numbers as the client wrote them
};

/// One way of asking for pictures: JSON in, JSON out. Bytes and headers are the same for all.
struct Dialect {
  /// Throws Error with the field as param.
  ImageRequest (*parse)(const Json& body, const RequestContext& context, const ModelInfo& model,
                        const RequestRules& rules);
  /// The body of a reply that is JSON.
  Json (*reply)(const ImageRequest& request, const PictureReply& reply);
  /// An event of a streamed reply: the preview of this index, from 0 on, or the picture itself. Its
  /// "type" is the event's name. Only of dialects that have such requests.
  Json (*event)(const ImageRequest& request, const PictureReply& reply,
                std::optional<int> preview) = nullptr;
};

const Dialect& native_dialect();         // POST /generate-image
const Dialect& job_dialect();            // POST /v1/jobs
const Dialect& openai_dialect();         // POST /v1/images/generations
const Dialect& hugging_face_dialect();   // POST /, POST /models/{name}
const Dialect& segmind_dialect();        // POST /v1/ssd-1b
const Dialect& automatic1111_dialect();  // POST /sdapi/v1/txt2img

}  // namespace ssd1b
