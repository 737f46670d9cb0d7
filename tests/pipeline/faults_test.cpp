#include "inference/pipeline/faults.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

namespace ssd1b {
namespace {

PictureFailed fault_of_text(const std::string& text) {
  return fault_of(c10::Error(c10::SourceLocation{"f", "f.cpp", 1}, text));
}

TEST(FaultOf, WantOfMemoryInCudasLibrariesIsThePicturesFault) {
  for (const char* text : {"cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
                           "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`",
                           "CUDA error: out of memory"}) {
    EXPECT_EQ(fault_of_text(text).code, ErrorCode::OutOfMemory) << text;
  }
}

TEST(FaultOf, AFailedKernelLosesTheDevice) {
  for (const char* text :
       {"CUDA error: an illegal memory access was encountered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"}) {
    EXPECT_THROW(fault_of_text(text), Error) << text;
  }
}

TEST(FaultOf, AnotherFaultOfLibtorchIsThePictures) {
  EXPECT_EQ(fault_of_text("sizes do not match").code, ErrorCode::InternalError);
}

}  // namespace
}  // namespace ssd1b
