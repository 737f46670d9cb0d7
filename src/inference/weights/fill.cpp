#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "inference/weights/bind.h"
#include "inference/weights/convert.h"
#include "inference/weights/lora/low_rank.h"
#include "inference/weights/want_of_memory.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Fits a second-level cache: what was read is still there when it is converted.
constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;
constexpr int kMaxThreads = 8;
// Blocks that are read before they are handed over: bounds what is held twice where values are
// replaced, go to another device or get another form.
constexpr std::int64_t kGroupBytes = std::int64_t{64} << 20;

/// One allocation: a parameter, or a stack and its parts.
struct Block {
  Parameter* owner = nullptr;
  std::vector<const Binding*> parts;
  at::Tensor host;
  std::optional<RowPacking> packing;
};

/// A run of elements of one tensor, read by one thread at once.
struct Piece {
  const TensorSource* source = nullptr;
  std::uint64_t first = 0;  // element of the source
  std::size_t count = 0;
  std::uint8_t* destination = nullptr;
  at::ScalarType dtype = at::kFloat;    // there
  const RowPacking* packing = nullptr;  // of these rows
};

/// What a thread reads into, and converts into before it is packed.
struct Buffers {
  std::vector<std::uint64_t> read, plain;
};

std::uint8_t* with_bytes(std::vector<std::uint64_t>& buffer, std::size_t bytes) {
  const std::size_t words = (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  if (buffer.size() < words) buffer.resize(words);
  return reinterpret_cast<std::uint8_t*>(buffer.data());
}

/// What cannot be read straight to its place: first it is read, then turned or changed.
struct Staged {
  const Binding* binding = nullptr;
  at::Tensor target, as_read;
};

std::vector<Block> blocks_of(const BindingPlan& plan) {
  std::vector<Block> blocks;
  std::unordered_map<Parameter*, std::size_t> index_of;
  for (const Binding& binding : plan.bindings) {
    Parameter* owner = binding.whole != nullptr ? binding.whole : binding.parameter;
    const auto [at, is_new] = index_of.emplace(owner, blocks.size());
    if (is_new) blocks.push_back({owner, {}, {}, {}});
    blocks[at->second].parts.push_back(&binding);
  }
  return blocks;
}

at::Tensor rows_of(const at::Tensor& whole, const Binding& binding) {
  if (binding.whole == nullptr) return whole;
  return whole.narrow(0, binding.first_row, binding.parameter->shape.at(0));
}

/// Reads pieces on several threads, each with buffers of one piece; nothing outlives run().
class PieceReader {
 public:
  PieceReader(const std::vector<Piece>& pieces, const LoadOptions& options)
      : pieces_(pieces), options_(options) {}

  /// The calling thread works too, and ticks between its pieces. Throws what the first piece at
  /// fault, in the order of the files, threw among those that were read.
  void run() {
    const int wanted =
        options_.threads > 0 ? options_.threads : std::min(at::get_num_threads(), kMaxThreads);
    const std::size_t extra = std::min<std::size_t>(wanted, pieces_.size()) - 1;
    std::vector<std::thread> threads;
    threads.reserve(extra);
    try {
      while (threads.size() < extra) threads.emplace_back([this] { work(nullptr); });
    } catch (const std::exception&) {
      // The system gives no more threads, or no memory for them: those that there are do it.
    }
    work(options_.tick);
    for (std::thread& thread : threads) thread.join();
    if (fault_) std::rethrow_exception(fault_);
  }

 private:
  void work(const std::function<void()>& tick) {
    Buffers buffers;
    for (std::size_t i = next_++; i < pieces_.size() && !stop_; i = next_++) {
      try {
        read(pieces_[i], buffers);
        if (tick) tick();
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (i < fault_piece_) {
          fault_piece_ = i;
          fault_ = std::current_exception();
        }
        stop_ = true;
      }
    }
  }

  void read(const Piece& piece, Buffers& buffers) const {
    const TensorSource& source = *piece.source;
    const std::size_t width = static_cast<std::size_t>(bits_of(source.dtype)) / 8;
    const std::size_t bytes = piece.count * width;
    const std::uint64_t offset = source.offset + piece.first * width;
    std::uint8_t* plain = piece.destination;
    if (piece.packing != nullptr) {
      plain = with_bytes(buffers.plain, piece.count * c10::elementSize(piece.dtype));
    }
    if (torch_type_of(source.dtype) == piece.dtype) {
      source.file.read(offset, plain, bytes);
      const auto bad = find_non_finite(source.dtype, plain, piece.count);
      if (bad) fail(piece, *bad, plain);
    } else {
      const std::uint8_t* as_read = with_bytes(buffers.read, bytes);
      source.file.read(offset, buffers.read.data(), bytes);
      const auto bad = convert_elements(source.dtype, as_read, piece.dtype, plain, piece.count);
      if (bad) fail(piece, *bad, as_read);
    }
    if (piece.packing != nullptr) piece.packing->pack(plain, piece.destination);
  }

  [[noreturn]] void fail(const Piece& piece, std::size_t index, const void* elements) const {
    const TensorSource& source = *piece.source;
    throw Error(ErrorCode::BadModel,
                source.file.path().string() + ": tensor " + shown(source.file_name) +
                    " must hold numbers that are finite in " + dtype_name(piece.dtype) + ", got " +
                    std::to_string(element_value(source.dtype, elements, index)) + " at index " +
                    std::to_string(piece.first + index));
  }

  const std::vector<Piece>& pieces_;
  const LoadOptions& options_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::size_t fault_piece_ = std::numeric_limits<std::size_t>::max();
  std::exception_ptr fault_;
};

void add_pieces(const TensorSource& source, const at::Tensor& tensor, const RowPacking* packing,
                std::vector<Piece>& pieces) {
  const std::uint64_t count = static_cast<std::uint64_t>(tensor.numel());
  const std::uint64_t width = static_cast<std::uint64_t>(bits_of(source.dtype)) / 8;
  const std::uint64_t step =
      packing == nullptr ? kPieceBytes / width
                         : count / static_cast<std::uint64_t>(tensor.size(0) / packing->rows);
  auto* destination = static_cast<std::uint8_t*>(tensor.data_ptr());
  for (std::uint64_t first = 0; first < count; first += step) {
    pieces.push_back({&source, first, static_cast<std::size_t>(std::min(step, count - first)),
                      destination + first * tensor.element_size(), tensor.scalar_type(), packing});
  }
}

/// What needs another pass after it was read is not packed.
bool is_staged(const Binding& binding) {
  return binding.source.transposed || !binding.updates.empty();
}

/// How this block's rows can be packed as they are read, where all of them can.
std::optional<RowPacking> packing_of(const Block& block, const LoadOptions& options) {
  if (options.arranger == nullptr) return std::nullopt;
  auto packing = options.arranger->packing_of(*block.owner, options.dtype, options.device);
  for (const Binding* part : block.parts) {
    if (packing && (is_staged(*part) || part->parameter->shape.at(0) % packing->rows != 0)) {
      packing.reset();
    }
  }
  return packing;
}

/// Memory to read a binding into that is turned or changed on its way to `target`.
at::Tensor staging_for(const Binding& binding, const at::Tensor& target) {
  const at::ScalarType dtype = binding.updates.empty() ? target.scalar_type() : at::kFloat;
  const at::Tensor shaped = binding.source.transposed ? target.t() : target;
  return at::empty(shaped.sizes(), at::TensorOptions().dtype(dtype));
}

/// Takes what was read to its place; changes are added in float32 and rounded once.
void put_in_place(const Staged& staged) {
  const Binding& binding = *staged.binding;
  at::Tensor value = binding.source.transposed ? staged.as_read.t() : staged.as_read;
  for (const LowRankUpdate& update : binding.updates) add_low_rank(update, value);
  staged.target.copy_(value);
  if (!binding.updates.empty()) check_merged(binding, staged.target);
}

/// Convolutions of a GPU multiply channels-last pixels; with weights in the same order nothing is
/// turned at every call.
at::Tensor on_device(const at::Tensor& host, const c10::Device& device) {
  const at::Tensor value = host.to(device);
  const bool is_convolution = !device.is_cpu() && value.dim() == 4;
  return is_convolution ? value.contiguous(at::MemoryFormat::ChannelsLast) : value;
}

std::int64_t bytes_of(const Block& block, at::ScalarType dtype) {
  return c10::multiply_integers(block.owner->shape) *
         static_cast<std::int64_t>(at::elementSize(dtype));
}

/// Allocates the blocks, fills them and hands them to their parameters.
void fill_group(std::vector<Block>& blocks, const LoadOptions& options) {
  std::vector<Piece> pieces;
  std::vector<Staged> staged;
  for (Block& block : blocks) {
    block.host = at::empty(block.owner->shape, at::TensorOptions().dtype(options.dtype));
    block.packing = packing_of(block, options);
    const RowPacking* packing = block.packing ? &*block.packing : nullptr;
    for (const Binding* binding : block.parts) {
      at::Tensor target = rows_of(block.host, *binding);
      if (is_staged(*binding)) {
        staged.push_back({binding, target, staging_for(*binding, target)});
        target = staged.back().as_read;
      }
      add_pieces(binding->source, target, packing, pieces);
    }
  }
  if (!pieces.empty()) PieceReader(pieces, options).run();
  for (const Staged& each : staged) {
    put_in_place(each);
    if (options.tick) options.tick();
  }
  for (Block& block : blocks) {
    Parameter& owner = *block.owner;
    owner.value = on_device(block.host, options.device);
    owner.arranged.clear();
    owner.memory.reset();
    block.host.reset();
    if (options.arranger != nullptr) options.arranger->arrange(owner, block.packing.has_value());
    for (const Binding* binding : block.parts) {
      binding->parameter->value =
          owner.value.defined() ? rows_of(owner.value, *binding) : at::Tensor();
    }
    if (options.tick) options.tick();
  }
}

}  // namespace

void fill_parameters(const BindingPlan& plan, const LoadOptions& options) {
  std::vector<Block> group;
  std::int64_t group_bytes = 0;
  const auto flush = [&] {
    fill_group(group, options);
    group.clear();
    group_bytes = 0;
  };
  try {
    for (Block& block : blocks_of(plan)) {
      group_bytes += bytes_of(block, options.dtype);
      group.push_back(std::move(block));
      if (group_bytes >= kGroupBytes) flush();
    }
    flush();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) {
      throw Error(ErrorCode::OutOfMemory,
                  "the device has no memory left for the weights of " + plan.component);
    }
    throw Error(ErrorCode::InternalError, "filling the weights of " + plan.component +
                                              " failed: " + error.what_without_backtrace());
  }
}

}  // namespace ssd1b
