#pragma once

#include <cstdint>

// The interface of libssd1b_kernels.so: raw pointers to device memory, a CUDA stream as void*, and
// 0 or a cudaError_t in return. Nothing here waits. Element types: 0 float, 1 half, 2 bfloat16.
extern "C" {

/// Grows when anything below changes; what loads the library checks it.
constexpr int kSsd1bKernelsVersion = 3;
int ssd1b_kernels_version();

/// What "vectors" below means: so many elements, at multiples of so many bytes.
constexpr int kSsd1bVector = 8;
constexpr int kSsd1bAlignment = 16;
/// The widest row of ssd1b_layer_norm.
constexpr int kSsd1bWidestRow = 2048;
/// The most elements of ssd1b_add.
constexpr std::int64_t kSsd1bMostAdded = std::int64_t{1} << 34;

/// SiLU(group_norm(input + shifts)) of channels-last [pictures, rows, channels]. `partial`: room
/// for NormPlan::partial_floats, at a multiple of 8 bytes. `silu` 0: without SiLU. Fastest where
/// input and output are at multiples of 16 bytes; `output` is not `input`. Shifts may be null.
struct Ssd1bGroupNorm {
  const void* input;
  const void* shift_of_channels;  // [channels]
  const void* shift_of_pictures;  // [pictures, channels], `shift_stride` elements apart
  std::int64_t shift_stride;
  const void* weight;  // [channels]
  const void* bias;    // [channels]
  void* output;
  float* partial;
  std::int64_t pictures, rows, channels, groups;
  double eps;
  int silu;
  int dtype;
};
int ssd1b_group_norm(const Ssd1bGroupNorm* call, void* stream);

/// stream += added, then layer_norm of it, both of [rows, width]. The first row of `added` goes to
/// row `first_added`, and `rest` to each row before that; both null: the stream is only read. Rows
/// before `first_normed` are not normed, the output has none of them. Rows are whole vectors.
struct Ssd1bLayerNorm {
  void* stream;
  const void* added;   // [rows - first_added, width]
  const void* rest;    // [width]
  const void* weight;  // [width]
  const void* bias;    // [width]
  void* output;        // [rows - first_normed, width]
  std::int64_t rows, width, first_added, first_normed;
  double eps;
  int dtype;
};
int ssd1b_layer_norm(const Ssd1bLayerNorm* call, void* stream);

/// total * softmax(scale * scores) of each row of float [rows, columns], in `dtype`. Rows are whole
/// vectors.
struct Ssd1bSoftmax {
  const float* scores;
  void* output;
  std::int64_t rows, columns;
  double scale, total;
  int dtype;
};
int ssd1b_softmax(const Ssd1bSoftmax* call, void* stream);

/// a + b + shifts of [rows, channels], rounded once. b and shifts may be null; `output` may be a
/// or b. Rows are whole vectors.
struct Ssd1bAdd {
  const void* a;
  const void* b;
  const void* shifts[2];  // each [channels]
  void* output;
  std::int64_t rows, channels;
  int dtype;
};
int ssd1b_add(const Ssd1bAdd* call, void* stream);

/// The parts of an upsampled picture, channels-last [pictures, height + 1, width + 1, 4 channels],
/// to where they belong, plus bias: [pictures, 2 height, 2 width, channels]. Of part 2 r + c, which
/// makes the pixels of rows r and columns c modulo 2, the first r rows and c columns are of no use,
/// as are its last 1 - r rows and 1 - c columns. Pixels are whole vectors.
struct Ssd1bInterleave {
  const void* parts;
  const void* bias;  // [channels]
  void* output;
  std::int64_t pictures, height, width, channels;
  int dtype;
};
int ssd1b_interleave(const Ssd1bInterleave* call, void* stream);

/// [tokens, 2 width], values then gates -> values * gelu(gates), [tokens, width]. Rows of
/// both halves are whole vectors.
int ssd1b_geglu(const void* input, void* output, std::int64_t tokens, std::int64_t width, int dtype,
                void* stream);

/// One picture [3, height, width] about -1..1 with any strides (in elements) -> bytes
/// [height, width, 3], rounded as torch rounds it step by step.
int ssd1b_to_bytes(const void* input, const std::int64_t* strides, std::uint8_t* output,
                   std::int64_t height, std::int64_t width, int dtype, void* stream);
}
