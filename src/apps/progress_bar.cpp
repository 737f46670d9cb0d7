#include "apps/progress_bar.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace ssd1b {

ProgressBar::ProgressBar(std::string title)
    : title_(std::move(title)),
      is_on_terminal_(::isatty(STDERR_FILENO) == 1),
      began_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
  if (is_on_terminal_) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::show(const PictureProgress& progress) {
  if (!is_on_terminal_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
  std::fprintf(stderr, "\r\x1b[K%s", progress_line(title_, progress, elapsed.count()).c_str());
}

std::string progress_line(const std::string& title, const PictureProgress& progress,
                          double elapsed_s) {
  constexpr int kWidth = 30;
  const int done = progress.steps > 0 ? kWidth * progress.step / progress.steps : 0;
  std::string line = title + " [" + std::string(static_cast<std::size_t>(done), '#') +
                     std::string(static_cast<std::size_t>(kWidth - done), '.') + "] " +
                     std::to_string(progress.step) + "/" + std::to_string(progress.steps);
  if (progress.step > 0) {
    const double left_s = elapsed_s / progress.step * (progress.steps - progress.step);
    char text[32];
    std::snprintf(text, sizeof text, ", %.1f s left", left_s);
    line += text;
  }
  return line;
}

}  // namespace ssd1b
