// ssd1b-tokenize: our tokenizer for tests in other languages.
//
//   ssd1b-tokenize FOLDER | ssd1b-tokenize --clip MERGES.txt.gz end-of-text|exclamation-mark
//
// Reads texts from standard input, each as its length in bytes, a newline and the bytes; writes a
// line for each: what the text needs, then its ids; or "error" and why.
#include <exception>
#include <iostream>
#include <string>

#include "inference/tokenizer/clip_tokenizer.h"
#include "ssd1b/error.h"

namespace {

ssd1b::ClipTokenizer open_tokenizer(int argc, char** argv) {
  if (argc == 2) return ssd1b::ClipTokenizer::load(argv[1]);
  if (argc == 4 && std::string(argv[1]) == "--clip") {
    const bool is_end = std::string(argv[3]) == "end-of-text";
    return ssd1b::ClipTokenizer::load_clip(
        argv[2], is_end ? ssd1b::ClipPadding::EndOfText : ssd1b::ClipPadding::ExclamationMark);
  }
  throw ssd1b::Error(ssd1b::ErrorCode::Usage,
                     "ssd1b-tokenize needs FOLDER or --clip MERGES.txt.gz PADDING");
}

void answer(const ssd1b::ClipTokenizer& tokenizer, const std::string& text) {
  try {
    const ssd1b::Tokens tokens = tokenizer.encode(tokenizer.with_all_vectors(text));
    std::cout << tokens.needed;
    for (const auto id : tokens.ids) std::cout << ' ' << id;
  } catch (const ssd1b::Error& error) {
    std::cout << "error " << error.what();
  }
  std::cout << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  try {
    const ssd1b::ClipTokenizer tokenizer = open_tokenizer(argc, argv);
    std::size_t length = 0;
    while (std::cin >> length && std::cin.get() == '\n') {
      std::string text(length, '\0');
      std::cin.read(text.data(), static_cast<std::streamsize>(length));
      answer(tokenizer, text);
    }
    return 0;
  } catch (const ssd1b::Error& error) {
    std::cerr << error.what() << '\n';
    return ssd1b::exit_status_of(error.code());
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 70;
  }
}
