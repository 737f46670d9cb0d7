#include "weights/bad_files.h"

#include "weights/probe_files.h"

namespace ssd1b {
namespace {

/// A header with one entry for tensor "a".
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

std::string two(const std::string& first_offsets, const std::string& second_offsets) {
  return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + first_offsets +
         R"(},"b":{"dtype":"F32","shape":[2],"data_offsets":)" + second_offsets + "}}";
}

std::vector<BadFile> wrong_beginnings() {
  const std::string good = entry(R"("F32")", "[2]", "[0,8]");
  return {
      {"empty file", "", "header length"},
      {"seven bytes", "1234567", "header length"},
      {"length only", length_text(2), "must end within the file"},
      {"length zero", length_text(0), "begins with {"},
      {"length one", length_text(1) + "{", "begins with {"},
      {"length past the end", length_text(good.size() + 9) + good + "12345678",
       "must end within the file"},
      {"length over the cap", length_text(100'000'001) + good, "at most 100000000"},
      {"length 2^63", length_text(std::uint64_t{1} << 63) + good, "at most 100000000"},
      {"length 2^64 - 1", length_text(~std::uint64_t{0}) + good, "at most 100000000"},
      {"leading space", file_text(" " + good, 8), "begins with {"},
      {"leading newline", file_text("\n" + good, 8), "begins with {"},
      {"byte order mark", file_text("\xEF\xBB\xBF" + good, 8), "begins with {"},
      {"a list", file_text("[1, 2]", 0), "begins with {"},
      {"pickle", "\x80\x02}q\x01." + std::string(40, '\0'), "pickle"},
      {"zip", "PK\x03\x04" + std::string(60, '\0'), "zip archive"},
      {"gguf", "GGUF" + std::string(60, '\0'), "GGUF"},
      {"hdf5", "\x89HDF\r\n" + std::string(60, '\0'), "HDF5"},
      {"lfs pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"},
      {"web page", "<!DOCTYPE html><html></html>", "web page"},
      {"zeros", std::string(64, '\0'), "begins with {"},
  };
}

std::vector<BadFile> broken_json() {
  const std::string good = entry(R"("F32")", "[2]", "[0,8]");
  return {
      {"not closed", file_text(good.substr(0, good.size() - 1), 8), "valid JSON"},
      {"text behind", file_text(good + "x", 8), "valid JSON"},
      {"second object", file_text(good + good, 8), "valid JSON"},
      {"zero byte behind", file_text(good + std::string(1, '\0') + "x", 8), "zero byte"},
      {"not UTF-8", file_text("{\"\xff\":1}", 0), "valid JSON"},
      {"overlong UTF-8", file_text("{\"\xc0\xaf\":1}", 0), "valid JSON"},
      {"lone surrogate", file_text(R"({"\ud800":1})", 0), "valid JSON"},
      {"comment", file_text("{/* */}", 0), "valid JSON"},
      {"trailing comma", file_text("{\"a\":1,}", 0), "must be an object"},
      {"NaN", file_text("{\"a\":NaN}", 0), "valid JSON"},
      {"control character", file_text("{\"a\nb\":1}", 0), "valid JSON"},
      {"nest of lists", file_text("{\"a\":" + std::string(50'000, '['), 0), "got a list"},
      {"nest of objects",
       file_text(
           [] {
             std::string text = "{";
             for (int i = 0; i < 20'000; ++i) text += "\"a\":{";
             return text;
           }(),
           0),
       "no key"},
      {"nest in a shape", file_text(entry(R"("F32")", "[[2]]", "[0,8]"), 8), "got a list"},
      {"nest in the metadata", file_text(R"({"__metadata__":{"a":{"b":"c"}}})", 0),
       "must be a string"},
  };
}

std::vector<BadFile> wrong_entries() {
  return {
      {"entry is a number", file_text(R"({"a":1})", 0), "must be an object"},
      {"entry is null", file_text(R"({"a":null})", 0), "must be an object"},
      {"entry is a list", file_text(R"({"a":[]})", 0), "must be an object"},
      {"entry is a string", file_text(R"({"a":"F32"})", 0), "must be an object"},
      {"empty name", file_text(R"({"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
       "must have a name"},
      {"no dtype", file_text(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), "have a dtype"},
      {"no shape", file_text(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), "have a shape"},
      {"no offsets", file_text(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "two data_offsets"},
      {"another key",
       file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8),
       "is no key"},
      {"dtype unknown", file_text(entry(R"("F31")", "[2]", "[0,8]"), 8), "known type"},
      {"dtype in lower case", file_text(entry(R"("f32")", "[2]", "[0,8]"), 8), "known type"},
      {"dtype is a number", file_text(entry("32", "[2]", "[0,8]"), 8), "must be a string"},
      {"dtype is null", file_text(entry("null", "[2]", "[0,8]"), 8), "must be a string"},
      {"shape is a number", file_text(entry(R"("F32")", "2", "[0,8]"), 8), "must be a list"},
      {"shape is an object", file_text(entry(R"("F32")", "{}", "[0,8]"), 8), "got an object"},
      {"shape is a string", file_text(entry(R"("F32")", R"("2")", "[0,8]"), 8), "must be a list"},
      {"negative size", file_text(entry(R"("F32")", "[-2]", "[0,8]"), 8), "whole numbers"},
      {"size is a float", file_text(entry(R"("F32")", "[2.0]", "[0,8]"), 8), "whole numbers"},
      {"size is a string", file_text(entry(R"("F32")", R"(["2"])", "[0,8]"), 8), "whole numbers"},
      {"size of 2^64", file_text(entry(R"("F32")", "[18446744073709551616]", "[0,8]"), 8),
       "whole numbers"},
      {"size of 2^63", file_text(entry(R"("F32")", "[9223372036854775808]", "[0,8]"), 8),
       "overflows"},
      {"product overflows", file_text(entry(R"("F32")", "[4294967296,4294967296]", "[0,0]"), 0),
       "overflows"},
      {"bytes overflow", file_text(entry(R"("F64")", "[2305843009213693952]", "[0,0]"), 0),
       "overflows"},
      {"zero and 2^63", file_text(entry(R"("F32")", "[0,9223372036854775808]", "[0,0]"), 0),
       "overflows"},
      {"too many dimensions",
       file_text(entry(R"("F32")", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), 8),
       "at most 16"},
      {"half a byte", file_text(entry(R"("F4")", "[3]", "[0,1]"), 1), "whole bytes"},
      {"six bits", file_text(entry(R"("F6_E2M3")", "[3]", "[0,2]"), 2), "whole bytes"},
      {"names twice",
       file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                 R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
                 16),
       "got it twice"},
      {"names twice by escape",
       file_text(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                 R"("\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
                 16),
       "got it twice"},
      {"a key twice",
       file_text(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
       "got it twice"},
      {"metadata is a list", file_text(R"({"__metadata__":[]})", 0), "must be an object"},
      {"metadata is a string", file_text(R"({"__metadata__":"pt"})", 0), "must be an object"},
      {"metadata holds a number", file_text(R"({"__metadata__":{"a":1}})", 0), "must be a string"},
      {"metadata holds null", file_text(R"({"__metadata__":{"a":null}})", 0), "must be a string"},
      {"metadata holds a list", file_text(R"({"__metadata__":{"a":[]}})", 0), "must be a string"},
      {"metadata twice", file_text(R"({"__metadata__":{},"__metadata__":{}})", 0), "got it twice"},
      {"metadata key twice", file_text(R"({"__metadata__":{"a":"b","a":"b"}})", 0), "got it twice"},
  };
}

std::vector<BadFile> wrong_offsets() {
  std::string same = "{";
  for (int i = 0; i < 1000; ++i) {
    same += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
            R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  }
  same += "}";
  return {
      {"one offset", file_text(entry(R"("F32")", "[2]", "[8]"), 8), "two data_offsets"},
      {"three offsets", file_text(entry(R"("F32")", "[2]", "[0,8,8]"), 8), "at most 2"},
      {"no offset", file_text(entry(R"("F32")", "[0]", "[]"), 0), "two data_offsets"},
      {"offsets fall", file_text(entry(R"("F32")", "[2]", "[8,0]"), 8), "must rise"},
      {"negative offset", file_text(entry(R"("F32")", "[2]", "[-8,0]"), 8), "whole numbers"},
      {"offset is a float", file_text(entry(R"("F32")", "[2]", "[0.0,8.0]"), 8), "whole numbers"},
      {"offset is a string", file_text(entry(R"("F32")", "[2]", R"(["0","8"])"), 8),
       "whole numbers"},
      {"offset is true", file_text(entry(R"("F32")", "[2]", "[true,8]"), 8), "whole numbers"},
      {"offset of 2^63", file_text(entry(R"("F32")", "[2]", "[0,9223372036854775808]"), 8),
       "must take 8 bytes"},
      {"offset past the end", file_text(entry(R"("F32")", "[2]", "[0,8]"), 7),
       "must hold 8 bytes of data, as its header says, got 7"},
      {"offsets not of the shape", file_text(entry(R"("F32")", "[2]", "[0,4]"), 4),
       "must take 8 bytes"},
      {"offsets not of the dtype", file_text(entry(R"("F16")", "[2]", "[0,8]"), 8),
       "must take 4 bytes"},
      {"data of an empty shape", file_text(entry(R"("F32")", "[0]", "[0,8]"), 8),
       "must take 0 bytes"},
      {"hole in front", file_text(entry(R"("F32")", "[2]", "[8,16]"), 16), "a hole"},
      {"hole between", file_text(two("[0,8]", "[12,20]"), 20), "a hole"},
      {"overlap", file_text(two("[0,8]", "[4,12]"), 12), "an overlap"},
      {"the same bytes twice", file_text(two("[0,8]", "[0,8]"), 8), "an overlap"},
      {"a thousand tensors on the same bytes", file_text(same, 8), "an overlap"},
      {"bytes behind", file_text(two("[0,8]", "[8,16]"), 17), "must fill the file"},
      {"data without tensors", file_text("{}", 4), "must fill the file"},
  };
}

}  // namespace

std::vector<BadFile> bad_files() {
  std::vector<BadFile> all;
  for (auto part : {wrong_beginnings(), broken_json(), wrong_entries(), wrong_offsets()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace ssd1b
