#include "service/image_files/png_text.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <string>

#include "image_files/decoders.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string chunk(const std::string& type, const std::string& data) {
  const auto number = [](unsigned long value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
    return bytes;
  };
  const std::string body = type + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return number(data.size()) + body + number(sum);
}

const std::string kSignature = "\x89PNG\r\n\x1A\n";

TEST(PngText, IsWhatTheEncoderWrote) {
  const PngText texts = {
      {"parameters", "a red apple\nseed: 7"}, {"Caf\u00E9", "\u00E9"}, {"k", "\u65E5"}, {"e", ""}};

  EXPECT_EQ(read_png_text(encode_png(drawn_picture(16, 9), texts)), texts);
  EXPECT_EQ(read_png_text(encode_png(drawn_picture(16, 9))), PngText{});
}

TEST(PngText, LeavesOutWhatIsCompressed) {
  const std::string compressed("k\0\1\0\0\0packed", 12);
  const std::string plain("k\0\0\0en\0name\0text", 16);
  const std::string file = kSignature + chunk("IHDR", std::string(13, '\1')) +
                           chunk("iTXt", compressed) + chunk("zTXt", "k") + chunk("iTXt", plain) +
                           chunk("IEND", "") + "what comes behind";

  EXPECT_EQ(read_png_text(file), (PngText{{"k", "text"}}));
}

TEST(PngText, RefusesWhatIsNoWholePng) {
  const std::string whole = encode_png(drawn_picture(16, 9), {{"k", "text"}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(read_png_text(whole.substr(0, size)), Error) << size;
  }
  const std::string header = chunk("IHDR", std::string(13, '\1'));
  const std::string end = chunk("IEND", "");
  std::string other_sum = chunk("tEXt", std::string("k\0text", 6));
  ++other_sum.back();
  for (const std::string& chunks :
       {end, header + other_sum + end, header + chunk("tEXt", "k") + end,
        header + chunk("iTXt", std::string("k\0", 2)) + end,
        header + chunk("iTXt", std::string("k\0\0\0en", 6)) + end,
        header + std::string("\xFF\xFF\xFF\xFFtEXt1234", 12) + end}) {
    EXPECT_THROW(read_png_text(kSignature + chunks), Error);
  }
  EXPECT_THROW(read_png_text("\xFF\xD8\xFF\xE0 a JPEG file"), Error);
}

}  // namespace
}  // namespace ssd1b
