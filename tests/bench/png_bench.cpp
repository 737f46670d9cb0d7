// ssd1b-png-bench [RUNS]: our PNG files against those of stb_image_write as it comes, on three
// pictures of 1024 x 1024. Prints the thread's CPU time, the fastest of RUNS (default 5), and the
// size; ends with 1 where ours is not 4 times as fast or is larger.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>

#include "bench/stb_own_png.h"
#include "service/image_files/png.h"

namespace {

using ssd1b::Image;

constexpr int kSide = 1024;
constexpr double kTimesFaster = 4.0;

double smooth_at(int x, int y, int c) {
  return 128 + 60 * std::sin(x * 0.01 + c) + 50 * std::cos(y * 0.013 - c);
}

/// `at(x, y, channel)` gives the value, which is cut to 0 to 255.
Image picture(const std::function<double(int, int, int)>& at) {
  Image image{kSide, kSide, {}};
  image.rgb.reserve(3 * kSide * kSide);
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.rgb.push_back(static_cast<std::uint8_t>(std::clamp(at(x, y, c), 0.0, 255.0)));
      }
    }
  }
  return image;
}

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

struct Figure {
  double ms = 1e12;
  std::size_t bytes = 0;
};

Figure measure(int runs, const std::function<std::string()>& encode) {
  Figure figure;
  for (int i = 0; i < runs; ++i) {
    const double begin = cpu_ms();
    figure.bytes = encode().size();
    figure.ms = std::min(figure.ms, cpu_ms() - begin);
  }
  return figure;
}

bool compare(const char* name, const Image& image, int runs) {
  const Figure theirs = measure(runs, [&] { return ssd1b::stb_own_png(image); });
  const Figure ours = measure(runs, [&] { return ssd1b::encode_png(image); });
  std::printf(
      "%-11s  stb %6.1f ms %8zu bytes   ours %6.1f ms %8zu bytes   %4.1f times as fast, %3.0f %%\n",
      name, theirs.ms, theirs.bytes, ours.ms, ours.bytes, theirs.ms / ours.ms,
      100.0 * static_cast<double>(ours.bytes) / static_cast<double>(theirs.bytes));
  return theirs.ms >= kTimesFaster * ours.ms && ours.bytes <= theirs.bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  std::mt19937 random(1);
  std::normal_distribution<double> grain(0.0, 3.0);
  const Image smooth = picture(smooth_at);
  const Image photo_like = picture([&](int x, int y, int c) {
    return smooth_at(x, y, c) + 20 * std::sin(x * 0.21) * std::sin(y * 0.17) + grain(random);
  });
  const Image noisy = picture([&](int, int, int) { return static_cast<double>(random() % 256); });

  bool is_good = compare("smooth", smooth, runs);
  is_good &= compare("photo-like", photo_like, runs);
  is_good &= compare("noisy", noisy, runs);
  return is_good ? 0 : 1;
}
