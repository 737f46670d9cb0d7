#include "inference/weights/python_json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "inference/weights/safetensors_file.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;

/// Numbers that JSON does not have and Python's json writes all the same.
struct NonFinite {
  std::string_view word;
  double value;
};
constexpr NonFinite kNonFinite[] = {{"-Infinity", -std::numeric_limits<double>::infinity()},
                                    {"Infinity", std::numeric_limits<double>::infinity()},
                                    {"NaN", std::numeric_limits<double>::quiet_NaN()}};

/// Stands for such a number while strict JSON is parsed: a string that no config has, as long with
/// its quotes as the word, so that the place of a fault stays right.
std::string stand_in(const NonFinite& number) {
  return std::string(number.word.size() - 2, '\x7f');
}

std::string with_stand_ins(std::string text) {
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_in_string = !is_in_string;
    if (is_in_string) {
      if (text[i] == '\\') ++i;
      continue;
    }
    for (const NonFinite& each : kNonFinite) {
      if (text.compare(i, each.word.size(), each.word) != 0) continue;
      text.replace(i, each.word.size(), '"' + stand_in(each) + '"');
      i += each.word.size() - 1;
      break;
    }
  }
  return text;
}

/// Refuses what the parser lets through: nests too deep and names given twice. Stand-ins
/// become their numbers.
class StrictCallback {
 public:
  explicit StrictCallback(const std::filesystem::path& file) : file_(file.string()) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) {
      throw Error(ErrorCode::BadModel,
                  file_ + ": must nest at most " + std::to_string(kMaxDepth) + " deep, got more");
    }
    if (event == json::parse_event_t::value && parsed.is_string()) {
      for (const NonFinite& each : kNonFinite) {
        if (parsed == stand_in(each)) parsed = each.value;
      }
    }
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key) {
      const auto name = parsed.get<std::string>();
      if (!keys_.back().insert(name).second) {
        throw Error(ErrorCode::BadModel,
                    file_ + ": the key " + shown(name) + " must come once, got it twice");
      }
    }
    return true;
  }

 private:
  std::string file_;
  std::vector<std::set<std::string>> keys_;
};

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::BadModel, file.string() + ": must be " + what);
}

}  // namespace

json parse_python_json(const std::string& text, const std::filesystem::path& file) {
  if (text.find('\0') != std::string::npos) refuse(file, "JSON, got a zero byte");
  json parsed;
  try {
    parsed = json::parse(with_stand_ins(text), StrictCallback(file));
  } catch (const json::parse_error& error) {
    refuse(file,
           "valid JSON in UTF-8, got none: the fault is at byte " + std::to_string(error.byte));
  } catch (const json::exception&) {
    refuse(file, "valid JSON, got a number too large");
  }
  if (!parsed.is_object()) refuse(file, std::string("a JSON object, got ") + parsed.type_name());
  return parsed;
}

std::vector<std::string> keys_in_order(const std::string& text, const std::string& key) {
  std::vector<std::string> keys;
  bool is_inside = false;
  const auto note = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event != json::parse_event_t::key) return true;
    if (depth == 1) is_inside = parsed == key;
    if (depth == 2 && is_inside) keys.push_back(parsed.get<std::string>());
    return true;
  };
  [[maybe_unused]] const json unordered = json::parse(with_stand_ins(text), note);
  return keys;
}

}  // namespace ssd1b
