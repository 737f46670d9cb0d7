#pragma once

#include <chrono>
#include <string>

#include "ssd1b/engine.h"

namespace ssd1b {

/// One line on a terminal's standard error that says how far a picture is; nothing elsewhere.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title);
  ~ProgressBar();  // leaves an empty line behind
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(const PictureProgress& progress);

 private:
  const std::string title_;
  const bool is_on_terminal_;
  const std::chrono::steady_clock::time_point began_;
};

/// `apple 2/4 [#####.....] 8/16 0.4 s left`, pure. `elapsed_s` is the time that `progress` took.
std::string progress_line(const std::string& title, const PictureProgress& progress,
                          double elapsed_s);

}  // namespace ssd1b
