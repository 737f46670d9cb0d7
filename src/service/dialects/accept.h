#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/dialects/image_request.h"

namespace ssd1b {

/// What an Accept header asks for (RFC 9110, 12.5.1). Ranges that are not well-formed name nothing.
class AcceptHeader {
 public:
  /// `value`: the header's fields joined with commas; empty: everything is welcome.
  explicit AcceptHeader(const std::string& value);

  /// How welcome a media type is, 0 (not at all) to 1: the weight of the most specific range that
  /// matches it.
  double weight_of(const std::string& media_type) const;

  /// Whether it is welcome by a range of its own type, not only by */*.
  bool names(const std::string& media_type) const;

  /// Of `media_types` the most welcome one, the earlier one where two are equal; empty where none
  /// is.
  std::string best_of(const std::vector<std::string>& media_types) const;

 private:
  struct Range {
    std::string type;
    std::string subtype;
    double weight;
  };

  std::vector<Range> ranges_;
};

/// What goes back to the client.
struct ReplyChoice {
  ReplyKind kind = ReplyKind::Bytes;
  ImageFormat format = ImageFormat::Png;
};

/// What the body says holds; what it leaves open is chosen by Accept: a picture where any of our
/// image types is welcome, else JSON where that is. Throws Error(NotAcceptable).
ReplyChoice choose_reply(const AcceptHeader& accept, std::optional<ReplyKind> kind,
                         std::optional<ImageFormat> format);

}  // namespace ssd1b
