#include "apps/picture_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

TEST(PictureFiles, NumbersSeveralPictures) {
  EXPECT_EQ(numbered("apple.png", 0, 1), "apple.png");
  EXPECT_EQ(numbered("apple.png", 0, 2), "apple-1.png");
  EXPECT_EQ(numbered("a.b/apple.red.jpeg", 11, 12), "a.b/apple.red-12.jpeg");
  EXPECT_EQ(numbered("folder/apple", 1, 2), "folder/apple-2");
}

TEST(PictureFiles, ReplacesAFileAndNamesOneThatItCannotWrite) {
  const std::filesystem::path file =
      std::filesystem::path(testing::TempDir()) / "ssd1b-picture.bin";
  write_file(file, std::string(100, 'x'));
  write_file(file, std::string("a\0b", 3));

  std::ostringstream read;
  read << std::ifstream(file, std::ios::binary).rdbuf();
  EXPECT_EQ(read.str(), std::string("a\0b", 3));
  std::filesystem::remove(file);

  try {
    write_file("/no/such/folder/x.png", "x");
    FAIL() << "wrote into a folder that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::SystemRefused);
    EXPECT_EQ(std::string(error.what()),
              "/no/such/folder/x.png cannot be written: No such file or directory");
  }
}

TEST(PictureFiles, LeavesEverythingAsItIsWhereItLooksWhetherItCanWrite) {
  const auto folder = std::filesystem::path(testing::TempDir());
  const auto fresh = folder / "ssd1b-fresh.bin", old = folder / "ssd1b-old.bin";
  const auto link = folder / "ssd1b-link.bin";
  write_file(old, "old");
  std::filesystem::remove(link);
  std::filesystem::create_symlink(folder / "ssd1b-nowhere.bin", link);
  for (const auto& file : {fresh, old, link}) check_can_write(file);

  EXPECT_FALSE(std::filesystem::exists(fresh));
  EXPECT_EQ(std::filesystem::file_size(old), 3U);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_THROW(check_can_write("/no/such/folder/x.png"), Error);
  for (const auto& file : {old, link, folder / "ssd1b-nowhere.bin"}) std::filesystem::remove(file);
}

}  // namespace
}  // namespace ssd1b
