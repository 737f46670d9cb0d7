#include "inference/weights/bind.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <limits>

#include "inference/weights/parameter_home.h"
#include "weights/probe_files.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

/// A module with a plain parameter, a stack and an optional one.
struct SmallModule {
  Parameter weight{{3, 2}};
  Parameter to_q{{2, 4}}, to_k{{2, 4}}, to_v{{3, 4}};
  Parameter to_qkv;
};

void visit_parameters(SmallModule& module, const Scope& scope) {
  scope.parameter("weight", module.weight);
  const Scope attention = scope / "attn";
  attention.stack(module.to_qkv, {&module.to_q, &module.to_k, &module.to_v});
  attention.parameter("to_q.weight", module.to_q);
  attention.parameter("to_k.weight", module.to_k);
  attention.parameter("to_v.weight", module.to_v);
}

class BindTest : public ::testing::Test {
 protected:
  BindTest()
      : tensors_{{"weight", float_data({3, 2}, 1)},
                 {"attn.to_q.weight", float_data({2, 4}, 10)},
                 {"attn.to_k.weight", float_data({2, 4}, 20)},
                 {"attn.to_v.weight", float_data({3, 4}, 30)}} {}

  void load(const LoadOptions& options = {}) {
    write_safetensors(folder_ / "unet.safetensors", tensors_);
    const auto weights =
        collect_weights("unet", {SafetensorsFile::open(folder_ / "unet.safetensors")});
    const auto walk = [&](ParameterVisitor& visitor) {
      visit_parameters(module_, Scope(visitor, ""));
    };
    fill_parameters(plan_parameters(weights, walk, options), options);
  }

  std::string refusal(const LoadOptions& options = {}) {
    return refusal_of([&] { load(options); });
  }

  TemporaryFolder folder_;
  std::map<std::string, TensorData> tensors_;
  SmallModule module_;
};

at::Tensor counting(std::vector<std::int64_t> shape, float first) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return (at::arange(count, at::kFloat) * 0.5 + first).reshape(shape);
}

TEST_F(BindTest, FillsEveryParameter) {
  load();

  EXPECT_TRUE(at::equal(module_.weight.value, counting({3, 2}, 1)));
  EXPECT_TRUE(at::equal(module_.to_k.value, counting({2, 4}, 20)));
}

TEST_F(BindTest, StacksPartsInOneBlockAndMakesThemViews) {
  load();

  EXPECT_TRUE(at::equal(module_.to_qkv.value, at::cat({counting({2, 4}, 10), counting({2, 4}, 20),
                                                       counting({3, 4}, 30)})));
  EXPECT_TRUE(module_.to_q.value.is_alias_of(module_.to_qkv.value));
  EXPECT_TRUE(module_.to_v.value.is_alias_of(module_.to_qkv.value));
  EXPECT_TRUE(module_.to_v.value.is_contiguous());
}

TEST_F(BindTest, ConvertsToTheComputingType) {
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    LoadOptions options;
    options.dtype = dtype;
    load(options);

    EXPECT_EQ(module_.weight.value.scalar_type(), dtype);
    EXPECT_TRUE(at::equal(module_.to_v.value, counting({3, 4}, 30).to(dtype)));
  }
}

TEST_F(BindTest, CanBeRepeated) {
  load();
  tensors_["weight"] = float_data({3, 2}, 100);
  load();

  EXPECT_TRUE(at::equal(module_.weight.value, counting({3, 2}, 100)));
}

TEST_F(BindTest, NamesWhatIsMissing) {
  tensors_.erase("attn.to_k.weight");
  tensors_.erase("weight");

  EXPECT_EQ(
      refusal(),
      (folder_ / "unet.safetensors").string() +
          ": tensor \"weight\" of shape [3, 2] must be there for the unet, got none (and 1 more)");
  EXPECT_FALSE(module_.to_q.value.defined());
}

TEST_F(BindTest, NamesWhatTheModelHasNot) {
  tensors_["extra.weight"] = float_data({2}, 1);
  EXPECT_THAT(refusal(), HasSubstr("tensor \"extra.weight\" of shape [2] must be one that"));

  LoadOptions options;
  options.skipped_prefixes = {"extra."};
  EXPECT_NO_THROW(load(options));
}

TEST_F(BindTest, NamesAWrongShape) {
  tensors_["weight"] = float_data({2, 3}, 1);

  EXPECT_THAT(refusal(), HasSubstr("tensor \"weight\" must have shape [3, 2], got [2, 3]"));
}

TEST_F(BindTest, NamesAWrongType) {
  tensors_["weight"] = {Dtype::I32, {3, 2}, std::vector<std::uint8_t>(24)};

  EXPECT_THAT(refusal(), HasSubstr("got I32"));
}

TEST_F(BindTest, NamesTheElementThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    tensors_["attn.to_v.weight"] = float_data({3, 4}, 30);
    std::memcpy(tensors_["attn.to_v.weight"].bytes.data() + 28, &bad, sizeof bad);
    for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
      LoadOptions options;
      options.dtype = dtype;
      EXPECT_THAT(refusal(options), HasSubstr("tensor \"attn.to_v.weight\" must hold numbers"));
      EXPECT_THAT(refusal(options), HasSubstr("at index 7"));
    }
  }
}

TEST_F(BindTest, RefusesANumberThatHalfPrecisionCannotHold) {
  tensors_["weight"] = float_data({3, 2}, 70'000);
  LoadOptions options;
  options.dtype = at::kHalf;

  EXPECT_THAT(refusal(options), HasSubstr("got 70000.000000 at index 0"));
  options.dtype = at::kBFloat16;
  EXPECT_NO_THROW(load(options));
}

TEST_F(BindTest, TicksAndPassesOnWhatTheTickThrows) {
  int ticks = 0;
  LoadOptions options;
  options.tick = [&] { ++ticks; };
  load(options);
  EXPECT_GT(ticks, 0);

  options.tick = [] { throw Error(ErrorCode::Cancelled, "enough"); };
  EXPECT_THAT(refusal(options), HasSubstr("[cancelled] enough"));
}

TEST_F(BindTest, SaysThatAParameterVisitedTwiceIsABug) {
  write_safetensors(folder_ / "unet.safetensors", tensors_);
  const auto weights =
      collect_weights("unet", {SafetensorsFile::open(folder_ / "unet.safetensors")});

  EXPECT_THAT(refusal_of([&] {
                plan_parameters(weights,
                                [&](ParameterVisitor& visitor) {
                                  Scope(visitor, "").parameter("weight", module_.weight);
                                  Scope(visitor, "").parameter("weight", module_.weight);
                                },
                                {});
              }),
              HasSubstr("this is a bug"));
}

TEST(Bind, ReadsAMatrixTheOtherWayRound) {
  TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors", {{"p", float_data({2, 3}, 0)}});
  auto weights =
      collect_weights("text_encoder_2", {SafetensorsFile::open(folder / "a.safetensors")});
  weights.tensors.at("p").transposed = true;
  weights.tensors.at("p").shape = {3, 2};
  Parameter parameter{{3, 2}};

  const auto walk = [&](ParameterVisitor& visitor) {
    Scope(visitor, "").parameter("p", parameter);
  };
  fill_parameters(plan_parameters(weights, walk, {}), {});

  EXPECT_TRUE(at::equal(parameter.value, counting({2, 3}, 0).t()));
}

/// Does with each parameter what it is told, once it is filled.
class AfterFilling : public Arranger {
 public:
  explicit AfterFilling(std::function<void(Parameter&)> act) : act_(std::move(act)) {}

  std::optional<RowPacking> packing_of(const Parameter&, at::ScalarType,
                                       const c10::Device&) override {
    return std::nullopt;
  }
  void arrange(Parameter& parameter, bool) override { act_(parameter); }

 private:
  std::function<void(Parameter&)> act_;
};

TEST_F(BindTest, AFilledParameterOrStackMayGetAnotherForm) {
  std::vector<Parameter*> filled;
  AfterFilling arranger([&](Parameter& parameter) {
    filled.push_back(&parameter);
    if (&parameter != &module_.to_qkv) return;
    parameter.arranged = {parameter.value.clone()};
    parameter.value.reset();
  });
  LoadOptions options;
  options.arranger = &arranger;

  load(options);

  EXPECT_THAT(filled, ::testing::UnorderedElementsAre(&module_.weight, &module_.to_qkv));
  EXPECT_TRUE(module_.weight.value.defined());
  EXPECT_TRUE(module_.weight.arranged.empty());
  EXPECT_EQ(module_.to_qkv.arranged.size(), 1u);
  EXPECT_FALSE(module_.to_v.value.defined());
}

std::int64_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6));
  }
  return 0;
}

TEST(Bind, HoldsWeightsInMemoryOnceAlsoWhereTheyChangeTheirForm) {
  // 384 MB in float32 from float16, more than one group of blocks; zeros in a file with holes.
  TemporaryFolder folder;
  constexpr std::int64_t kRows = 1000, kColumns = 4000, kTensors = 24;
  std::string header = "{";
  for (std::int64_t i = 0; i < kTensors; ++i) {
    const std::int64_t bytes = kRows * kColumns * 2;
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
              R"(":{"dtype":"F16","shape":[1000,4000],"data_offsets":[)" +
              std::to_string(i * bytes) + "," + std::to_string((i + 1) * bytes) + "]}";
  }
  header += "}";
  write_text(folder / "a.safetensors", file_text(header, 0));
  std::filesystem::resize_file(folder / "a.safetensors",
                               8 + header.size() + kTensors * kRows * kColumns * 2);
  const auto weights = collect_weights("unet", {SafetensorsFile::open(folder / "a.safetensors")});
  std::vector<Parameter> parameters(kTensors, Parameter({kRows, kColumns}));
  AfterFilling arranger([](Parameter& parameter) { parameter.value = parameter.value.clone(); });
  LoadOptions options;
  options.arranger = &arranger;
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const std::int64_t before = peak_kib();

  const auto walk = [&](ParameterVisitor& visitor) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Scope(visitor, "").parameter(std::to_string(i), parameters[i]);
    }
  };
  fill_parameters(plan_parameters(weights, walk, options), options);

  const double weight_kib = 4.0 * kRows * kColumns * kTensors / 1024;
  EXPECT_LT(static_cast<double>(peak_kib() - before), 1.4 * weight_kib);
  EXPECT_EQ(parameters.back().value.abs().max().item<float>(), 0.0F);
}

TEST_F(BindTest, ParametersGoToADeviceAndComeHomeWithTheirStacks) {
  load();
  const at::Tensor at_home = module_.to_qkv.value;
  const auto walk = [&](ParameterVisitor& visitor) {
    visit_parameters(module_, Scope(visitor, ""));
  };
  ParameterHome home(walk, c10::Device(c10::kMeta));

  home.go_to_device();

  EXPECT_TRUE(module_.weight.value.is_meta());
  EXPECT_TRUE(module_.to_v.value.is_meta());
  EXPECT_TRUE(module_.to_v.value.is_alias_of(module_.to_qkv.value));
  EXPECT_EQ(module_.to_v.value.storage_offset(), 4 * 4);

  home.come_home();

  EXPECT_TRUE(at::equal(module_.to_qkv.value, at_home));
  EXPECT_TRUE(at::equal(module_.to_k.value, counting({2, 4}, 20)));
}

}  // namespace
}  // namespace ssd1b
