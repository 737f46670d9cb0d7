#include "inference/weights/safetensors_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <random>

#include "weights/bad_files.h"
#include "weights/probe_files.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string sample_file(const std::filesystem::path& file) {
  write_safetensors(file,
                    {{"a", float_data({2, 3}, 1)},
                     {"b", float_data({4}, 9)},
                     {"c", {Dtype::F16, {3}, {0, 1, 2, 3, 4, 5}}}},
                    {{"format", "pt"}});
  return read_bytes(file);
}

TEST(SafetensorsFile, ReadsWhatWasWritten) {
  TemporaryFolder folder;
  sample_file(folder / "a.safetensors");

  const SafetensorsFile file = SafetensorsFile::open(folder / "a.safetensors");

  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  const TensorInfo* b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, Dtype::F32);
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{4}));
  EXPECT_EQ(b->bytes, 16u);
  std::vector<float> values(4);
  file.read(b->offset, values.data(), b->bytes);
  EXPECT_EQ(values, (std::vector<float>{9, 9.5, 10, 10.5}));
  EXPECT_EQ(file.find("d"), nullptr);
}

TEST(SafetensorsFile, AcceptsWhatTheFormatAllows) {
  TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> files = {
      {"no tensors", file_text("{}", 0)},
      {"padding", file_text("{}   ", 0)},
      {"padding of other blanks", file_text("{} \n\t\r", 0)},
      {"empty tensor", file_text(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0)},
      {"empty tensor of large sizes",
       file_text(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})",
                 0)},
      {"scalar", file_text(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4)},
      {"four bits", file_text(R"({"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}})", 2)},
      {"not sorted", file_text(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
                               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                               R"("c":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}})",
                               12)},
      {"metadata last",
       file_text(R"({"a":{"shape":[2],"data_offsets":[0,8],"dtype":"I32"},"__metadata__":{}})", 8)},
      {"long name", file_text("{\"" + std::string(65'536, 'n') +
                                  R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                              8)},
  };
  for (const auto& [what, bytes] : files) {
    write_text(folder / "a.safetensors", bytes);
    EXPECT_NO_THROW(SafetensorsFile::open(folder / "a.safetensors")) << what;
  }
}

TEST(SafetensorsFile, TakesNoLengthOfAHeaderForAnotherFormat) {
  TemporaryFolder folder;
  for (std::size_t length = 2; length < 2000; ++length) {
    write_text(folder / "a.safetensors", file_text("{}" + std::string(length - 2, ' '), 0));
    EXPECT_NO_THROW(SafetensorsFile::open(folder / "a.safetensors")) << length;
  }
}

TEST(SafetensorsFile, RefusesEveryBadFileAndNamesIt) {
  TemporaryFolder folder;
  const std::vector<BadFile> files = bad_files();
  ASSERT_GE(files.size(), 60u);
  for (const BadFile& bad : files) {
    SCOPED_TRACE(bad.what);
    write_text(folder / "bad.safetensors", bad.bytes);

    const std::string refusal =
        refusal_of([&] { SafetensorsFile::open(folder / "bad.safetensors"); });

    EXPECT_THAT(refusal, HasSubstr(bad.says));
    EXPECT_THAT(refusal, HasSubstr((folder / "bad.safetensors").string()));
    EXPECT_LT(refusal.size(), 1000u);
    EXPECT_EQ(refusal.find('\n'), std::string::npos);
  }
}

TEST(SafetensorsFile, NamesTheTensorAtFault) {
  TemporaryFolder folder;
  write_text(folder / "a.safetensors",
             file_text(R"({"conv.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4));

  EXPECT_EQ(
      refusal_of([&] { SafetensorsFile::open(folder / "a.safetensors"); }),
      (folder / "a.safetensors").string() +
          ": tensor \"conv.weight\": F32 of shape [2] must take 8 bytes, got data_offsets of 4");
}

TEST(SafetensorsFile, RefusesWhatIsNoRegularFile) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder / "folder");
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(folder / "nowhere", folder / "dangling");
  std::filesystem::create_symlink(folder / "fifo", folder / "link-to-fifo");
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  const auto refusal = [&](const std::string& name) {
    return refusal_of([&] { SafetensorsFile::open(folder / name); });
  };

  EXPECT_THAT(refusal("folder"), HasSubstr("got a folder"));
  EXPECT_THAT(refusal("fifo"), HasSubstr("got a fifo"));
  EXPECT_THAT(refusal("link-to-fifo"), HasSubstr("got a fifo"));
  EXPECT_THAT(refusal("dangling"), HasSubstr("leads nowhere"));
  EXPECT_THAT(refusal("absent"), HasSubstr("No such file"));
  EXPECT_THAT(refusal("loop"), HasSubstr("cannot be opened"));
  EXPECT_THAT(refusal_of([] { SafetensorsFile::open("/dev/zero"); }), HasSubstr("got a device"));
}

TEST(SafetensorsFile, FollowsALinkToAFile) {
  TemporaryFolder folder;
  sample_file(folder / "a.safetensors");
  std::filesystem::create_symlink(folder / "a.safetensors", folder / "link.safetensors");

  EXPECT_EQ(SafetensorsFile::open(folder / "link.safetensors").tensors().size(), 3u);
}

TEST(SafetensorsFile, RefusesAFileCutAnywhere) {
  TemporaryFolder folder;
  const std::string whole = sample_file(folder / "a.safetensors");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_text(folder / "cut.safetensors", whole.substr(0, length));

    EXPECT_EQ(refusal_of([&] {
                SafetensorsFile::open(folder / "cut.safetensors");
              }).find((folder / "cut.safetensors").string()),
              0u)
        << "cut at " << length;
  }
}

TEST(SafetensorsFile, SaysSoWhereTheFileIsCutAfterItWasOpened) {
  TemporaryFolder folder;
  const std::string whole = sample_file(folder / "a.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(folder / "a.safetensors");
  std::filesystem::resize_file(folder / "a.safetensors", whole.size() - 4);
  const TensorInfo& last = file.tensors().back();
  std::vector<char> bytes(last.bytes);

  EXPECT_THAT(refusal_of([&] { file.read(last.offset, bytes.data(), bytes.size()); }),
              HasSubstr("it was cut while it was read"));
}

/// What must hold of every file that is accepted, counted by other means than the reader's.
void expect_sound(const SafetensorsFile& file, const std::string& what) {
  std::vector<char> owners(file.size_bytes(), 0);
  std::uint64_t covered = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    ASSERT_LE(tensor.offset + tensor.bytes, file.size_bytes()) << what;
    double bits = bits_of(tensor.dtype);
    for (const std::int64_t size : tensor.shape) bits *= static_cast<double>(size);
    EXPECT_EQ(bits, 8.0 * static_cast<double>(tensor.bytes)) << what;
    for (std::uint64_t i = 0; i < tensor.bytes; ++i) {
      EXPECT_EQ(owners[tensor.offset + i]++, 0) << what;
    }
    covered += tensor.bytes;
  }
  std::uint64_t header = 0;
  file.read(0, &header, sizeof header);
  EXPECT_EQ(8 + header + covered, file.size_bytes()) << what;
}

TEST(SafetensorsFile, SurvivesFlippedBitsInTheHeader) {
  TemporaryFolder folder;
  const std::string whole = sample_file(folder / "a.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string flipped = whole;
    const int flips = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < flips; ++i) {
      flipped[random() % (8 + header)] ^= static_cast<char>(1 << random() % 8);
    }
    write_text(folder / "flipped.safetensors", flipped);
    try {
      expect_sound(SafetensorsFile::open(folder / "flipped.safetensors"),
                   "round " + std::to_string(round));
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel);
    }
  }
  EXPECT_GT(accepted, 0);  // a letter of a name, for one
}

TEST(SafetensorsWriter, RefusesBytesThatAreNotOfTheShape) {
  TemporaryFolder folder;

  EXPECT_THROW(write_safetensors(folder / "a.safetensors", {{"a", {Dtype::F32, {2}, {0, 0}}}}),
               Error);
}

TEST(SafetensorsWriter, SaysSoWhereItCannotWrite) {
  EXPECT_THROW(write_safetensors("/dev/full", {{"a", float_data({2}, 0)}}), Error);
  EXPECT_THROW(write_safetensors("/nowhere/a.safetensors", {}), Error);
}

}  // namespace
}  // namespace ssd1b
