#include "inference/weights/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using Json = nlohmann::json;

struct DtypeRow {
  Dtype dtype;
  const char* name;
  int bits;
};
constexpr std::array<DtypeRow, 20> kDtypes = {{
    {Dtype::F4, "F4", 4},          {Dtype::F6E2M3, "F6_E2M3", 6}, {Dtype::F6E3M2, "F6_E3M2", 6},
    {Dtype::Bool, "BOOL", 8},      {Dtype::U8, "U8", 8},          {Dtype::I8, "I8", 8},
    {Dtype::F8E4M3, "F8_E4M3", 8}, {Dtype::F8E5M2, "F8_E5M2", 8}, {Dtype::F8E8M0, "F8_E8M0", 8},
    {Dtype::U16, "U16", 16},       {Dtype::I16, "I16", 16},       {Dtype::F16, "F16", 16},
    {Dtype::BF16, "BF16", 16},     {Dtype::U32, "U32", 32},       {Dtype::I32, "I32", 32},
    {Dtype::F32, "F32", 32},       {Dtype::U64, "U64", 64},       {Dtype::I64, "I64", 64},
    {Dtype::F64, "F64", 64},       {Dtype::C64, "C64", 64},
}};
constexpr std::size_t kMaxDimensions = 16;

/// A tensor while its entry is being read.
struct Entry {
  std::string name;
  std::optional<Dtype> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

/// Takes the parser's events, so that a header costs no more memory than its tensors and a nest of
/// brackets is refused where it begins. Only the format's one shape is let through:
/// {NAME: {"dtype": ..., "shape": [...], "data_offsets": [...]}, "__metadata__": {KEY: TEXT}}.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::filesystem::path& file) : file_(file.string()) {}

  SafetensorsHeader header;

  bool null() override { return refuse_value("null"); }
  bool boolean(bool value) override { return refuse_value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return refuse_value(std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override { return refuse_value(text); }
  bool binary(binary_t&) override { return refuse_value("bytes"); }

  bool number_unsigned(number_unsigned_t value) override {
    std::vector<std::uint64_t>* list = open_list();
    if (list == nullptr) return refuse_value(std::to_string(value));
    const std::size_t limit = field_ == "shape" ? kMaxDimensions : 2;
    if (list->size() == limit) {
      fail("must have at most " + std::to_string(limit) + " numbers, got more");
    }
    list->push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (in_metadata_ && depth_ == 2) {
      header.metadata[field_] = value;
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") return refuse_value(shown(value));
    for (const DtypeRow& row : kDtypes) {
      if (value == row.name) entry_.dtype = row.dtype;
    }
    if (!entry_.dtype) fail("must be a known type, got " + shown(value));
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_list_) return refuse_value("an object");
    if (++depth_ == 2) fields_.clear();
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) finish_entry();
    --depth_;
    return true;
  }

  bool key(string_t& name) override {
    std::unordered_set<std::string>& seen = depth_ == 1 ? names_ : fields_;
    if (!seen.insert(name).second) {
      if (depth_ == 1) entry_.name.clear();
      fail_plain(where() + ": the name " + shown(name) + " must come once, got it twice");
    }
    if (depth_ == 1) {
      if (name.empty()) fail_plain(file_ + ": a tensor must have a name, got an empty one");
      in_metadata_ = name == "__metadata__";
      entry_ = Entry{name, {}, {}, {}};
      field_.clear();
      return true;
    }
    field_ = name;
    if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets") {
      fail("is no key of a tensor's entry: dtype, shape and data_offsets are");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    const bool is_expected = depth_ == 2 && !in_metadata_ && !in_list_ &&
                             (field_ == "shape" || field_ == "data_offsets");
    if (!is_expected) return refuse_value("a list");
    in_list_ = true;
    (field_ == "shape" ? entry_.shape : entry_.offsets).emplace();
    return true;
  }

  bool end_array() override {
    in_list_ = false;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    // The parser counts from 1; its own text may hold the file's bytes.
    throw Error(ErrorCode::BadModel, file_ +
                                         ": the header must be valid JSON in UTF-8, got none: "
                                         "the fault is at its byte " +
                                         std::to_string(position));
  }

 private:
  std::string where() const {
    return entry_.name.empty() ? file_ : file_ + ": tensor " + shown(entry_.name);
  }

  [[noreturn]] void fail_plain(const std::string& message) const {
    throw Error(ErrorCode::BadModel, message);
  }

  [[noreturn]] void fail(const std::string& what) const {
    fail_plain(where() + ": " + (field_.empty() ? "" : shown(field_) + " ") + what);
  }

  bool refuse_value(const std::string& got) const {
    if (depth_ == 0) fail_plain(file_ + ": the header must be a JSON object, got " + got);
    if (depth_ == 1) fail("must be an object with dtype, shape and data_offsets, got " + got);
    if (in_metadata_) fail("must be a string, got " + got);
    if (in_list_) fail("must hold whole numbers from 0 to 2^64 - 1, got " + got);
    fail(std::string("must be ") + (field_ == "dtype" ? "a string" : "a list") + ", got " + got);
  }

  std::vector<std::uint64_t>* open_list() {
    if (!in_list_) return nullptr;
    return field_ == "shape" ? &*entry_.shape : &*entry_.offsets;
  }

  void finish_entry() {
    field_.clear();
    if (!entry_.dtype) fail("must have a dtype, got none");
    if (!entry_.shape) fail("must have a shape, got none");
    if (!entry_.offsets || entry_.offsets->size() != 2) {
      fail("must have two data_offsets, got " +
           (entry_.offsets ? std::to_string(entry_.offsets->size()) : "none"));
    }
    const std::uint64_t begin = (*entry_.offsets)[0];
    const std::uint64_t end = (*entry_.offsets)[1];
    if (begin > end) {
      fail("data_offsets must rise, got [" + std::to_string(begin) + ", " + std::to_string(end) +
           "]");
    }
    TensorInfo tensor{entry_.name, *entry_.dtype, {}, begin, end - begin};
    const std::uint64_t wanted = checked_bytes(tensor);
    if (wanted != tensor.bytes) {
      fail(std::string(name_of(tensor.dtype)) + " of shape " + text_of(tensor.shape) +
           " must take " + std::to_string(wanted) + " bytes, got data_offsets of " +
           std::to_string(tensor.bytes));
    }
    header.tensors.push_back(std::move(tensor));
  }

  /// Fills the shape and counts its bytes without overflow.
  std::uint64_t checked_bytes(TensorInfo& tensor) const {
    std::uint64_t bits = static_cast<std::uint64_t>(bits_of(tensor.dtype));
    bool has_zero = false;
    for (const std::uint64_t size : *entry_.shape) has_zero = has_zero || size == 0;
    for (const std::uint64_t size : *entry_.shape) {
      const bool fits = size <= std::uint64_t{INT64_MAX} &&
                        (has_zero || !__builtin_mul_overflow(bits, size, &bits));
      if (!fits) {
        fail("has a shape whose size overflows, got a dimension of " + std::to_string(size));
      }
      tensor.shape.push_back(static_cast<std::int64_t>(size));
    }
    if (has_zero) return 0;
    if (bits % 8 != 0) {
      fail(std::string(name_of(tensor.dtype)) + " of shape " + text_of(tensor.shape) +
           " must fill whole bytes, got " + std::to_string(bits) + " bits");
    }
    return bits / 8;
  }

  std::string file_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_list_ = false;
  Entry entry_;
  std::string field_;  // the key inside the entry or the metadata
  std::unordered_set<std::string> names_, fields_;
};

void check_contiguous(const std::vector<TensorInfo>& tensors, std::uint64_t data_bytes,
                      const std::filesystem::path& file) {
  std::uint64_t expected = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.offset != expected) {
      throw Error(ErrorCode::BadModel, file.string() + ": tensor " + shown(tensor.name) +
                                           ": data must begin at byte " + std::to_string(expected) +
                                           " of the data, where the tensor before it ends, got " +
                                           std::to_string(tensor.offset) + ": " +
                                           (tensor.offset > expected ? "a hole" : "an overlap"));
    }
    expected += tensor.bytes;
  }
  if (expected > data_bytes) {
    throw Error(ErrorCode::BadModel, file.string() + ": must hold " + std::to_string(expected) +
                                         " bytes of data, as its header says, got " +
                                         std::to_string(data_bytes) + ": the file is cut short");
  }
  if (expected < data_bytes) {
    throw Error(ErrorCode::BadModel, file.string() +
                                         ": the tensors must fill the file: they take " +
                                         std::to_string(expected) + " bytes, the file has " +
                                         std::to_string(data_bytes) + " bytes of data");
  }
}

}  // namespace

const char* name_of(Dtype dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "unknown";
}

int bits_of(Dtype dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row.bits;
  }
  return 0;
}

SafetensorsHeader parse_safetensors_header(const std::string& text, std::uint64_t file_bytes,
                                           const std::filesystem::path& file) {
  const std::uint64_t data_start = 8 + text.size();
  if (text.empty() || text.front() != '{') {
    throw Error(ErrorCode::BadModel, file.string() + ": the header must begin with {");
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) {
    // The parser would take it for the end.
    throw Error(
        ErrorCode::BadModel,
        file.string() + ": the header must be JSON, got a zero byte at " + std::to_string(zero));
  }
  const std::uint64_t data_bytes = file_bytes - data_start;
  HeaderReader reader(file);
  Json::sax_parse(text, &reader);
  SafetensorsHeader header = std::move(reader.header);
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const TensorInfo& a, const TensorInfo& b) {
              return std::tie(a.offset, a.bytes) < std::tie(b.offset, b.bytes);
            });
  check_contiguous(header.tensors, data_bytes, file);
  for (TensorInfo& tensor : header.tensors) tensor.offset += data_start;
  return header;
}

}  // namespace ssd1b
