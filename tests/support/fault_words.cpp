#include "support/fault_words.h"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::array kFaults = {"oom",  "nan",     "fail",  "hang",    "quiet", "abort", "segv",
                                "exit", "garbage", "wrong", "strange", "lost",  "throw", "new"};

[[noreturn]] void refuse(const std::string& word) {
  throw Error(ErrorCode::InvalidValue, "no fault can be ordered by the word " + word, "prompt");
}

int number_of(const std::string& text, const std::string& word) {
  if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != text.npos) {
    refuse(word);
  }
  return std::stoi(text);
}

std::optional<Fault> fault_of(const std::string& word) {
  Fault fault;
  std::string name = word;
  if (const auto at = name.find('@'); at != name.npos) {
    fault.at_step = number_of(name.substr(at + 1), word);
    name.resize(at);
  }
  if (const auto equals = name.find('='); equals != name.npos && name.substr(0, equals) == "exit") {
    fault.status = number_of(name.substr(equals + 1), word);
    name.resize(equals);
  }
  const std::string once = "_once";
  if (name.size() > once.size() && name.substr(name.size() - once.size()) == once) {
    fault.is_once = true;
    name.resize(name.size() - once.size());
  }
  if (std::find(kFaults.begin(), kFaults.end(), name) == kFaults.end()) return std::nullopt;
  fault.word = name;
  return fault;
}

}  // namespace

std::chrono::microseconds duration_of(const std::string& text) {
  const auto unit = text.find_first_not_of("0123456789");
  if (unit == 0 || unit == text.npos) refuse(text);
  const std::int64_t count = number_of(text.substr(0, unit), text);
  const std::string name = text.substr(unit);
  if (name == "us") return std::chrono::microseconds(count);
  if (name == "ms") return std::chrono::milliseconds(count);
  if (name == "s") return std::chrono::seconds(count);
  refuse(text);
}

FaultWords fault_words_of(const std::string& prompt) {
  FaultWords words;
  std::istringstream in(prompt);
  for (std::string word; in >> word;) {
    if (word.rfind("delay=", 0) == 0) {
      words.delay = duration_of(word.substr(6));
    } else if (const std::optional<Fault> fault = fault_of(word)) {
      words.faults.push_back(*fault);
    }
  }
  return words;
}

}  // namespace ssd1b
