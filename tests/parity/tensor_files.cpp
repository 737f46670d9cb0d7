#include "tensor_files.h"

#include <ATen/ATen.h>

#include <cstdint>

#include "inference/weights/safetensors_file.h"
#include "inference/weights/safetensors_writer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

at::ScalarType torch_type(const TensorInfo& info) {
  switch (info.dtype) {
    case Dtype::F32:
      return at::kFloat;
    case Dtype::I64:
      return at::kLong;
    case Dtype::U8:
      return at::kByte;
    default:
      throw Error(ErrorCode::Usage,
                  "tensor " + info.name + " must be F32, I64 or U8, got " + name_of(info.dtype));
  }
}

Dtype file_type(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kByte) return Dtype::U8;
  return tensor.scalar_type() == at::kLong ? Dtype::I64 : Dtype::F32;
}

}  // namespace

NamedTensors read_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  NamedTensors tensors;
  for (const TensorInfo& info : file.tensors()) {
    at::Tensor tensor = at::empty(info.shape, torch_type(info));
    file.read(info.offset, tensor.data_ptr(), info.bytes);
    tensors[info.name] = tensor;
  }
  return tensors;
}

void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::map<std::string, TensorData> files;
  for (const auto& [name, given] : tensors) {
    const at::Tensor tensor =
        (given.is_floating_point() ? given.to(at::kFloat) : given).cpu().contiguous();
    TensorData data;
    data.dtype = file_type(tensor);
    data.shape = tensor.sizes().vec();
    const auto* first = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
    data.bytes.assign(first, first + tensor.nbytes());
    files[name] = std::move(data);
  }
  write_safetensors(path, files);
}

}  // namespace ssd1b
