#pragma once

#include <algorithm>

namespace ssd1b {

/// What lies ahead of a new picture: how many pictures, how long they keep the devices busy
/// together and how many can be made at a time. Pure.
struct Outlook {
  int pictures = 0;      // running ones included
  double seconds = 0.0;  // of all of them, spread over the devices
  int places = 0;

  /// Until so many of them have ended: short ones overtake, so they end one by one rather than all
  /// at the end.
  double seconds_until(int ended) const {
    if (pictures == 0 || ended <= 0) return 0.0;
    return seconds * std::min(ended, pictures) / pictures;
  }

  /// Until a place is free for the new one.
  double seconds_until_start() const { return seconds_until(pictures - places + 1); }
};

}  // namespace ssd1b
