#include "inference/weights/bfloats_of_halves.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace ssd1b {

#if defined(__x86_64__) && defined(__GNUC__)
namespace {

constexpr std::size_t kVector = 16;  // elements

/// Eight finite halves as bfloat16, each in the lower half of its 32 bits.
[[gnu::target("avx2,f16c")]] inline __m256i rounded(__m128i halves) {
  const __m256i bits = _mm256_castps_si256(_mm256_cvtph_ps(halves));
  const __m256i is_odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half_up = _mm256_add_epi32(is_odd, _mm256_set1_epi32(0x7fff));
  return _mm256_srli_epi32(_mm256_add_epi32(bits, half_up), 16);
}

/// Whole vectors. Returns whether all values are finite.
[[gnu::target("avx2,f16c")]] bool convert_vectors(const std::uint16_t* halves, std::uint16_t* out,
                                                  std::size_t vectors) {
  const __m256i exponent = _mm256_set1_epi16(0x7c00);  // all its bits set: not finite
  __m256i is_bad = _mm256_setzero_si256();
  for (std::size_t i = 0; i < vectors * kVector; i += kVector) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves + i));
    is_bad =
        _mm256_or_si256(is_bad, _mm256_cmpeq_epi16(_mm256_and_si256(both, exponent), exponent));
    const __m256i first = rounded(_mm256_castsi256_si128(both));
    const __m256i second = rounded(_mm256_extracti128_si256(both, 1));
    const __m256i packed = _mm256_packus_epi32(first, second);  // quarters 0 2 1 3
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm256_permute4x64_epi64(packed, 0b11'01'10'00));
  }
  return _mm256_testz_si256(is_bad, is_bad) != 0;
}

bool has_instructions() {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
  return has_f16c && __builtin_cpu_supports("avx2");
}

}  // namespace

std::size_t bfloats_of_halves(const std::uint16_t* halves, std::uint16_t* out, std::size_t count) {
  static const bool can = has_instructions();
  const std::size_t vectors = count / kVector;
  if (!can || !convert_vectors(halves, out, vectors)) return 0;
  return vectors * kVector;
}
#else
std::size_t bfloats_of_halves(const std::uint16_t*, std::uint16_t*, std::size_t) { return 0; }
#endif

}  // namespace ssd1b
