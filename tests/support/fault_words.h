#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace ssd1b {

/// A fault that a prompt orders, as `oom@3`: README.md beside this file lists the words.
struct Fault {
  std::string word;      // oom, nan, hang, abort, segv, exit, garbage, lost, throw, ...
  int at_step = 1;       // in the UNet call of this number, from 1
  bool is_once = false;  // `oom_once@3`: the first time only
  int status = 1;        // exit=3@2
};

/// The orders in a prompt. Words that order nothing are a picture's description.
struct FaultWords {
  std::chrono::microseconds delay{0};  // `delay=50ms`: every UNet call takes that long
  std::vector<Fault> faults;
};

/// Throws Error(InvalidValue) for an order that is not well-formed, as `oom@x`.
FaultWords fault_words_of(const std::string& prompt);

/// `50ms`, `2s`, `300us`.
std::chrono::microseconds duration_of(const std::string& text);

}  // namespace ssd1b
