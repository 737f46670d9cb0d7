#include "wire/frame.h"

#include <gmock/gmock.h>

#include <random>

#include "wire/example_messages.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

void expect_equal(const Frame& got, const Frame& want) {
  EXPECT_EQ(got.type, want.type);
  EXPECT_EQ(got.picture, want.picture);
  EXPECT_EQ(got.json, want.json);
  EXPECT_EQ(got.bytes, want.bytes);
}

/// What the reader says of these bytes.
std::string refusal_of(const std::vector<std::uint8_t>& bytes) {
  try {
    FrameReader reader;
    reader.feed(bytes.data(), bytes.size());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::MalformedRequest);
    return error.what();
  }
  return "accepted";
}

TEST(FrameReader, PutsFramesTogetherFromAnySplit) {
  const std::vector<Frame> want = example_frames();
  std::vector<std::uint8_t> stream;
  for (const Frame& each : want) {
    const auto bytes = bytes_of(each);
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }

  for (std::size_t split = 0; split <= stream.size(); ++split) {
    FrameReader reader;
    std::vector<Frame> got = reader.feed(stream.data(), split);
    for (Frame& each : reader.feed(stream.data() + split, stream.size() - split)) {
      got.push_back(std::move(each));
    }
    ASSERT_EQ(got.size(), want.size()) << "split at " << split;
    for (std::size_t i = 0; i < want.size(); ++i) expect_equal(got[i], want[i]);
  }
}

TEST(FrameReader, PutsFramesTogetherByteByByte) {
  FrameReader reader;
  for (const Frame& want : example_frames()) {
    const auto bytes = bytes_of(want);
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      ASSERT_TRUE(reader.feed(&bytes[i], 1).empty());
    }
    const std::vector<Frame> got = reader.feed(&bytes.back(), 1);
    ASSERT_EQ(got.size(), 1u);
    expect_equal(got[0], want);
  }
}

TEST(FrameReader, RefusesAHeaderThatIsNotOurs) {
  const auto good = bytes_of(example_frames().front());
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    auto bytes = good;
    bytes[at] = value;
    return refusal_of(bytes);
  };

  EXPECT_EQ(refusal_of(good), "accepted");
  EXPECT_THAT(changed(0, 'X'), HasSubstr("SD1W"));
  EXPECT_THAT(changed(3, 'w'), HasSubstr("SD1W"));
  EXPECT_THAT(changed(4, 2), HasSubstr("version must be 1, got 2"));
  EXPECT_THAT(changed(5, 0), HasSubstr("type 0"));
  EXPECT_THAT(changed(5, 5), HasSubstr("type 5"));
  EXPECT_THAT(changed(5, 23), HasSubstr("type 23"));
  EXPECT_THAT(changed(6, 1), HasSubstr("reserved"));
  EXPECT_THAT(changed(19, 1), HasSubstr("bytes of JSON"));
  EXPECT_THAT(changed(23, 2), HasSubstr("bytes of data"));
}

TEST(FrameReader, HoldsToTheCapsExactly) {
  const auto header = [](std::uint32_t json, std::uint32_t data) {
    auto bytes = bytes_of(Frame{FrameType::Tick, 0, "", {}});
    for (int i = 0; i < 4; ++i) {
      bytes[16 + i] = static_cast<std::uint8_t>(json >> (8 * i));
      bytes[20 + i] = static_cast<std::uint8_t>(data >> (8 * i));
    }
    return bytes;
  };

  EXPECT_EQ(refusal_of(header(kMaxFrameJsonBytes, kMaxFrameBytes)), "accepted");
  EXPECT_NE(refusal_of(header(kMaxFrameJsonBytes + 1, 0)), "accepted");
  EXPECT_NE(refusal_of(header(0, kMaxFrameBytes + 1)), "accepted");
}

TEST(EncodeFrame, RefusesAFrameOverTheCaps) {
  EXPECT_NO_THROW(
      encode_frame_head({FrameType::Tick, 0, std::string(kMaxFrameJsonBytes, ' '), {}}));
  EXPECT_THROW(
      encode_frame_head({FrameType::Tick, 0, std::string(kMaxFrameJsonBytes + 1, ' '), {}}), Error);
  EXPECT_THROW(
      encode_frame_head({FrameType::Tick, 0, "{}", std::vector<std::uint8_t>(kMaxFrameBytes + 1)}),
      Error);
}

/// Whatever comes, it is a message or an Error: never anything else.
TEST(FrameReader, SurvivesBytesThatWereTamperedWith) {
  std::mt19937 random(20240607);
  const std::vector<Frame> examples = example_frames();
  int accepted = 0, refused = 0;
  for (int i = 0; i < 40000; ++i) {
    auto bytes = bytes_of(examples[random() % examples.size()]);
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int change = 0; change < changes; ++change) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    try {
      FrameReader reader;
      for (Frame& frame : reader.feed(bytes.data(), bytes.size())) {
        if (is_from_server(frame.type)) {
          decode_server_message(std::move(frame));
        } else {
          decode_worker_message(std::move(frame));
        }
        ++accepted;
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::MalformedRequest) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);  // a changed letter of a prompt is still a prompt
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace ssd1b
