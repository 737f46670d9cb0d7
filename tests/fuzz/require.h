#pragma once

#include <cstdlib>
#include <iostream>

/// What a fuzz target demands of the code under test: ends the process with `what` where it does
/// not hold, which libFuzzer reports with the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "does not hold: " << what << std::endl;
  std::abort();
}
