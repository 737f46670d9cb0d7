#pragma once

// Functions marked with it are compiled for three generations of vector instructions; the
// processor's is chosen at start. What they call must be inlined into them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SSD1B_VECTOR_CODE [[gnu::target_clones("avx512f", "avx2", "default")]]
#else
#define SSD1B_VECTOR_CODE
#endif
