#include "service/dialects/accept.h"

#include <sstream>

#include "service/dialects/lower_case.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string trimmed_lower(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return lower_case(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    parts.push_back(trimmed_lower(part));
  }
  return parts;
}

/// A qvalue: 0 to 1 with at most three digits behind the point.
std::optional<double> read_weight(const std::string& text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  double weight = text[0] - '0';
  double place = 0.1;
  for (std::size_t i = 2; i < text.size(); ++i, place /= 10) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    weight += place * (text[i] - '0');
  }
  if (weight > 1.0) return std::nullopt;
  return weight;
}

std::string joined(const std::vector<std::string>& types) {
  std::string text;
  for (const std::string& type : types) text += (text.empty() ? "" : " or ") + type;
  return text;
}

}  // namespace

AcceptHeader::AcceptHeader(const std::string& value) {
  if (value.find_first_not_of(" \t,") == std::string::npos) {
    ranges_.push_back({"*", "*", 1.0});
    return;
  }
  for (const std::string& element : split(value, ',')) {
    const std::vector<std::string> parts = split(element, ';');
    if (parts.empty()) continue;
    const std::size_t slash = parts[0].find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == parts[0].size()) continue;
    Range range{parts[0].substr(0, slash), parts[0].substr(slash + 1), 1.0};
    if (range.type == "*" && range.subtype != "*") continue;
    bool is_well_formed = true;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (parts[i].compare(0, 2, "q=") != 0) continue;
      const std::optional<double> weight = read_weight(parts[i].substr(2));
      is_well_formed = weight.has_value();
      range.weight = weight.value_or(0.0);
    }
    if (is_well_formed) ranges_.push_back(range);
  }
}

bool AcceptHeader::names(const std::string& media_type) const {
  const std::string type = media_type.substr(0, media_type.find('/'));
  bool is_named = false;
  for (const Range& range : ranges_) is_named = is_named || range.type == type;
  return is_named && weight_of(media_type) > 0.0;
}

double AcceptHeader::weight_of(const std::string& media_type) const {
  const std::size_t slash = media_type.find('/');
  const std::string type = media_type.substr(0, slash);
  const std::string subtype = media_type.substr(slash + 1);
  int best_rank = -1;
  double weight = 0.0;
  for (const Range& range : ranges_) {
    const bool matches = (range.type == "*" || range.type == type) &&
                         (range.subtype == "*" || range.subtype == subtype);
    const int rank = (range.type != "*" ? 1 : 0) + (range.subtype != "*" ? 1 : 0);
    if (matches && rank > best_rank) {
      best_rank = rank;
      weight = range.weight;
    }
  }
  return weight;
}

std::string AcceptHeader::best_of(const std::vector<std::string>& media_types) const {
  std::string best;
  double best_weight = 0.0;
  for (const std::string& each : media_types) {
    if (const double weight = weight_of(each); weight > best_weight) {
      best = each;
      best_weight = weight;
    }
  }
  return best;
}

ReplyChoice choose_reply(const AcceptHeader& accept, std::optional<ReplyKind> kind,
                         std::optional<ImageFormat> format) {
  std::vector<std::string> all_types;
  std::vector<std::string> types;  // those that the body leaves open
  for (const ImageFormat each : kImageFormats) {
    all_types.push_back(content_type_of(each));
    if (!format || *format == each) types.push_back(content_type_of(each));
  }
  ReplyChoice choice;
  if (accept.best_of(all_types).empty() && accept.weight_of("application/json") <= 0.0) {
    throw Error(ErrorCode::NotAcceptable,
                "Accept must allow " + joined(all_types) + " or application/json");
  }
  const bool wants_json = accept.best_of(all_types).empty() && accept.names("application/json");
  choice.kind = kind.value_or(wants_json ? ReplyKind::JsonText : ReplyKind::Bytes);
  const std::string best = accept.best_of(types);
  if (choice.kind == ReplyKind::Bytes && best.empty()) {
    throw Error(ErrorCode::NotAcceptable, "Accept must allow " + joined(types) +
                                              (kind || format ? "" : " or application/json"));
  }
  for (const ImageFormat each : kImageFormats) {
    if (format ? *format == each : content_type_of(each) == best) choice.format = each;
  }
  return choice;
}

}  // namespace ssd1b
