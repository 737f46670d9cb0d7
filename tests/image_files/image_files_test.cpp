#include "service/image_files/image_files.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "image_files/decoders.h"
#include "service/image_files/base64.h"
#include "service/image_files/jpeg.h"
#include "service/image_files/png.h"
#include "service/image_files/webp.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using testing::HasSubstr;

constexpr ImageFormat kFormats[] = {ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp};

std::vector<std::string> types_of(const std::vector<Chunk>& chunks) {
  std::vector<std::string> types;
  for (const Chunk& chunk : chunks) types.push_back(chunk.type);
  return types;
}

template <typename Call>
void expect_refused(Call call, ErrorCode code, const std::string& why) {
  try {
    call();
    ADD_FAILURE() << "was taken; expected: " << why;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), HasSubstr(why));
  }
}

TEST(Png, KeepsEveryPixel) {
  std::mt19937 random(7);
  std::vector<std::pair<int, int>> sizes = {{1, 1}, {1, 300}, {300, 1}, {64, 64}, {2048, 64}};
  for (int i = 0; i < 60; ++i) {
    sizes.emplace_back(1 + random() % 200, 1 + random() % 200);
  }
  for (const auto& [width, height] : sizes) {
    SCOPED_TRACE(testing::Message() << width << " x " << height);
    Image image = drawn_picture(width, height);
    const unsigned noise = random() % 3;  // none, a little, nothing else
    for (auto& byte : image.rgb) {
      if (noise == 2 || (noise == 1 && random() % 8 == 0))
        byte = static_cast<std::uint8_t>(random());
    }

    const std::string file = encode_png(image);

    const Image back = decode_png(file);
    EXPECT_EQ(back.width_px, width);
    EXPECT_EQ(back.height_px, height);
    EXPECT_TRUE(back.rgb == image.rgb);
    EXPECT_THAT(types_of(png_chunks(file)), testing::ElementsAre("IHDR", "IDAT", "IEND"));
  }
}

TEST(Png, IsTheSameFileFromEveryThread) {
  const Image image = drawn_picture(256, 256);
  const std::string expected = encode_png(image);
  std::vector<std::string> files(8);
  std::vector<std::thread> threads;

  for (auto& file : files) threads.emplace_back([&image, &file] { file = encode_png(image); });
  for (auto& thread : threads) thread.join();

  EXPECT_THAT(files, testing::Each(expected));
}

TEST(Png, HoldsTextInTheChunkThatFitsIt) {
  struct Case {
    std::string text;
    std::string type;
    std::string data;
  };
  const std::string zero(1, '\0');
  const std::vector<Case> cases = {
      {"a red apple\nseed: 7", "tEXt", "parameters" + zero + "a red apple\nseed: 7"},
      {"", "tEXt", "parameters" + zero},
      {"Caf\u00E9 \u00FF", "tEXt", "parameters" + zero + "Caf\xE9 \xFF"},
      {"caf\u00E9 \u65E5\u672C \U0001F600", "iTXt",
       "parameters" + zero + zero + zero + zero + zero + "caf\u00E9 \u65E5\u672C \U0001F600"},
  };
  const Image image = drawn_picture(16, 9);
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);

    const std::string file = encode_png(image, {{"parameters", each.text}});

    const std::vector<Chunk> chunks = png_chunks(file);
    ASSERT_THAT(types_of(chunks), testing::ElementsAre("IHDR", each.type, "IDAT", "IEND"));
    EXPECT_EQ(chunks[1].data, each.data);
    EXPECT_TRUE(decode_png(file).rgb == image.rgb);
  }
}

TEST(Png, HoldsSeveralTextsInTheirOrder) {
  const std::string file =
      encode_png(drawn_picture(8, 8), {{"Title", "one"}, {"Comment", "\u4E8C"}});

  EXPECT_THAT(types_of(png_chunks(file)),
              testing::ElementsAre("IHDR", "tEXt", "iTXt", "IDAT", "IEND"));
}

TEST(Png, RefusesTextThatItCannotHold) {
  const Image image = drawn_picture(8, 8);
  for (const std::string& keyword :
       {std::string(), std::string(80, 'k'), std::string(" k"), std::string("k "),
        std::string("a  b"), std::string("a\nb"), std::string("\u65E5"), std::string("a\0b", 3)}) {
    expect_refused(
        [&] {
          encode_png(image, {{keyword, "x"}});
        },
        ErrorCode::InvalidValue, "keyword");
  }
  expect_refused(
      [&] {
        encode_png(image, {{"k", std::string("a\0b", 3)}});
      },
      ErrorCode::InvalidValue, "zero bytes");
  for (const std::string text : {"\xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"}) {
    expect_refused([&] { encode_png(image, {{"k", text}}); }, ErrorCode::InvalidValue, "UTF-8");
  }
  EXPECT_NO_THROW(encode_png(image, {{std::string(79, 'k'), "x"}}));
}

TEST(Jpeg, ComesCloserAndGrowsWithQuality) {
  const Image image = drawn_picture(256, 192);
  double last_psnr = 0;
  std::size_t last_size = 0;
  for (const int quality : {1, 20, 50, 75, 90, 100}) {
    SCOPED_TRACE(quality);

    const std::string file = encode_jpeg(image, quality);

    const DecodedJpeg back = decode_jpeg(file);
    const double psnr = psnr_db(image, back.image);
    EXPECT_GT(psnr, last_psnr);
    EXPECT_GT(file.size(), last_size);
    EXPECT_EQ(back.has_full_colour, quality >= 90);
    last_psnr = psnr;
    last_size = file.size();
  }
  EXPECT_GT(last_psnr, 45);
}

TEST(Webp, ComesCloserAndGrowsWithQuality) {
  const Image image = drawn_picture(256, 192);
  double last_psnr = 0;
  std::size_t last_size = 0;
  for (const int quality : {1, 20, 50, 75, 90, 100}) {
    SCOPED_TRACE(quality);

    const std::string file = encode_webp(image, quality);

    const double psnr = psnr_db(image, decode_webp(file));
    EXPECT_GT(psnr, last_psnr);
    EXPECT_GT(file.size(), last_size);
    EXPECT_THAT(types_of(webp_chunks(file)), testing::ElementsAre("VP8 "));
    last_psnr = psnr;
    last_size = file.size();
  }
  EXPECT_GT(last_psnr, 25);  // colours have half the resolution
}

TEST(Jpeg, HoldsACommentAsExif) {
  const Image image = drawn_picture(40, 30);
  const std::string plain = encode_jpeg(image, 90);

  const std::string file = encode_jpeg(image, 90, "a red apple");

  const std::vector<Chunk> segments = jpeg_segments(file);
  ASSERT_EQ(segments[0].type, "E0");
  ASSERT_EQ(segments[1].type, "E1");
  ASSERT_EQ(segments[1].data.substr(0, 6), std::string("Exif\0\0", 6));
  EXPECT_EQ(user_comment(segments[1].data.substr(6)), std::string("ASCII\0\0\0a red apple", 19));
  EXPECT_EQ(segments.size(), jpeg_segments(plain).size() + 1);
  EXPECT_TRUE(decode_jpeg(file).image.rgb == decode_jpeg(plain).image.rgb);
}

TEST(Webp, HoldsACommentAsExif) {
  const Image image = drawn_picture(41, 31);
  const std::string plain = encode_webp(image, 90);

  const std::string file = encode_webp(image, 90, "odd length: \u00E9\U0001F600");

  const std::vector<Chunk> chunks = webp_chunks(file);
  ASSERT_THAT(types_of(chunks), testing::ElementsAre("VP8X", "VP8 ", "EXIF"));
  const std::string expected =
      std::string("UNICODE\0", 8) +
      std::string("\0o\0d\0d\0 \0l\0e\0n\0g\0t\0h\0:\0 \0\xE9\xD8\x3D\xDE\x00", 30);
  EXPECT_EQ(user_comment(chunks[2].data), expected);
  EXPECT_TRUE(decode_webp(file).rgb == decode_webp(plain).rgb);
}

TEST(Jpeg, RefusesACommentThatIsTooLong) {
  const Image image = drawn_picture(8, 8);
  EXPECT_NO_THROW(encode_jpeg(image, 90, std::string(65000, 'a')));
  expect_refused([&] { encode_jpeg(image, 90, std::string(65536, 'a')); }, ErrorCode::InvalidValue,
                 "at most 65533 bytes");
}

TEST(ImageFiles, EncodeEveryFormatWithItsMetadata) {
  const Image image = drawn_picture(64, 48);
  for (const ImageFormat format : kFormats) {
    SCOPED_TRACE(content_type_of(format));

    const std::string plain = encode(image, format);
    const std::string with_text = encode(image, format, 90, "{\"seed\": 7}");

    EXPECT_EQ(plain, encode(image, format, 90));
    EXPECT_THAT(plain, testing::Not(HasSubstr("seed")));
    EXPECT_THAT(with_text, HasSubstr("{\"seed\": 7}"));
    expect_refused([&] { encode(image, format, 90, "\xFF"); }, ErrorCode::InvalidValue, "UTF-8");
  }
  EXPECT_EQ(content_type_of(ImageFormat::Png), "image/png");
  EXPECT_EQ(content_type_of(ImageFormat::Jpeg), "image/jpeg");
  EXPECT_EQ(content_type_of(ImageFormat::Webp), "image/webp");
}

TEST(ImageFiles, RefuseAQualityOutOfRange) {
  const Image image = drawn_picture(8, 8);
  for (const ImageFormat format : {ImageFormat::Jpeg, ImageFormat::Webp}) {
    for (const int quality : {-1, 0, 101}) {
      expect_refused([&] { encode(image, format, quality); }, ErrorCode::InvalidValue,
                     "quality must be between 1 and 100, got " + std::to_string(quality));
    }
    EXPECT_NO_THROW(encode(image, format, 1));
    EXPECT_NO_THROW(encode(image, format, 100));
  }
}

TEST(ImageFiles, RefuseAPictureThatIsNotWhole) {
  const std::vector<Image> broken = {{0, 0, {}},
                                     {8, 0, {}},
                                     {-1, -1, {1, 2, 3}},
                                     {2, 2, std::vector<std::uint8_t>(11)},
                                     {2, 2, std::vector<std::uint8_t>(13)},
                                     {16384, 1, std::vector<std::uint8_t>(3 * 16384)}};
  for (const Image& image : broken) {
    for (const ImageFormat format : kFormats) {
      expect_refused([&] { encode(image, format); }, ErrorCode::InternalError, "this is a bug");
    }
  }
}

TEST(Base64, IsThatOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {std::string("\0\0\0", 3), "AAAA"},
      {"\xFF\xFF\xFF", "////"},
      {"\xFB\xEF\xBE", "++++"},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(base64_of(bytes), text);
    EXPECT_EQ(bytes_of_base64(text), bytes);
    EXPECT_EQ(bytes_of_base64(text.substr(0, text.find('='))), bytes);
  }
}

TEST(Base64, OtherTextsAreNone) {
  for (const char* text :
       {"Z", "Zm9vY", "Zm9v\n", "Zm 9", "Zm9=v", "Z===", "====", "Zg=", "Zm-_"}) {
    EXPECT_EQ(bytes_of_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace ssd1b
