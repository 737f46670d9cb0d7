#include "inference/tokenizer/unicode_tables.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace ssd1b {
namespace {

static_assert(UTF8PROC_VERSION_MAJOR > 2 || UTF8PROC_VERSION_MINOR >= 8,
              "utf8proc 2.8 (Unicode 15) or newer is needed: the tables below begin there");

// The reference mixes Unicode versions: Oniguruma's classes are of Unicode 16, Rust's lower case of
// Unicode 17, the composition (crate unicode-normalization-alignments 0.1.12) of Unicode 9. The
// tables below are the differences to Unicode 15, found by asking it about every code point, and,
// so that a younger utf8proc changes nothing, what Unicode 18 adds to the reference.

struct ClassRange {
  char32_t first;
  char32_t last;
  CharacterClass what;
};

constexpr CharacterClass kL = CharacterClass::Letter;
constexpr CharacterClass kN = CharacterClass::Number;
constexpr CharacterClass kO = CharacterClass::Other;

// Letters and numbers of Unicode 15.1 and 16 (kL, kN), and of Unicode 17 and 18 (kO: the reference
// does not know them). Sorted.
constexpr ClassRange kLaterThan15[] = {
    {0x558, 0x558, kO},     {0x58B, 0x58C, kO},     {0x88F, 0x88F, kO},     {0xC5C, 0xC5C, kO},
    {0xCDC, 0xCDC, kO},     {0x1C89, 0x1C8A, kL},   {0x208F, 0x208F, kO},   {0x209D, 0x209F, kO},
    {0xA7CB, 0xA7CD, kL},   {0xA7CE, 0xA7CF, kO},   {0xA7D2, 0xA7D2, kO},   {0xA7D4, 0xA7D4, kO},
    {0xA7DA, 0xA7DC, kL},   {0xA7DD, 0xA7DD, kO},   {0xA7E2, 0xA7E2, kO},   {0xA7F1, 0xA7F1, kO},
    {0xAB6C, 0xAB6D, kO},   {0x105C0, 0x105F3, kL}, {0x107BB, 0x107BF, kO}, {0x10940, 0x10959, kO},
    {0x10D40, 0x10D49, kN}, {0x10D4A, 0x10D65, kL}, {0x10D6F, 0x10D85, kL}, {0x10EC2, 0x10EC4, kL},
    {0x10EC5, 0x10EC7, kO}, {0x10ED9, 0x10EEE, kO}, {0x11380, 0x11389, kL}, {0x1138B, 0x1138B, kL},
    {0x1138E, 0x1138E, kL}, {0x11390, 0x113B5, kL}, {0x113B7, 0x113B7, kL}, {0x113D1, 0x113D1, kL},
    {0x113D3, 0x113D3, kL}, {0x116D0, 0x116E3, kN}, {0x11B0A, 0x11B0A, kO}, {0x11BC0, 0x11BE0, kL},
    {0x11BF0, 0x11BF9, kN}, {0x11DB0, 0x11DDB, kO}, {0x11DE0, 0x11DE9, kO}, {0x11DF1, 0x11DF1, kO},
    {0x1246F, 0x1246F, kO}, {0x12475, 0x1247F, kO}, {0x12550, 0x12686, kO}, {0x13460, 0x143FA, kL},
    {0x16100, 0x1611D, kL}, {0x16130, 0x16139, kN}, {0x16D40, 0x16D6C, kL}, {0x16D70, 0x16D79, kN},
    {0x16EA0, 0x16EB8, kO}, {0x16EBB, 0x16ED3, kO}, {0x16FF2, 0x16FF6, kO}, {0x187F8, 0x187FF, kO},
    {0x18CD6, 0x18CDA, kO}, {0x18CFF, 0x18CFF, kL}, {0x18D09, 0x18D20, kO}, {0x18D80, 0x18DF2, kO},
    {0x18E00, 0x19191, kO}, {0x191A0, 0x191D2, kO}, {0x1B123, 0x1B128, kO}, {0x1B168, 0x1B168, kO},
    {0x1CCF0, 0x1CCF9, kN}, {0x1D6A6, 0x1D6A6, kO}, {0x1DF1F, 0x1DF24, kO}, {0x1DF2B, 0x1DF81, kO},
    {0x1DF90, 0x1DF96, kO}, {0x1DFCD, 0x1DFFF, kO}, {0x1E5D0, 0x1E5ED, kL}, {0x1E5F0, 0x1E5F0, kL},
    {0x1E5F1, 0x1E5FA, kN}, {0x1E6C0, 0x1E6DE, kO}, {0x1E6E0, 0x1E6E2, kO}, {0x1E6E4, 0x1E6E5, kO},
    {0x1E6E7, 0x1E6ED, kO}, {0x1E6F0, 0x1E6F4, kO}, {0x1E6FE, 0x1E6FF, kO}, {0x2B73A, 0x2B73F, kO},
    {0x2B81E, 0x2B81E, kO}, {0x2CEA2, 0x2CEAD, kO}, {0x2EBF0, 0x2EE5D, kL}, {0x323B0, 0x33479, kO},
    {0x3D000, 0x3FC3F, kO},
};

struct LowerRange {
  char32_t first;
  char32_t last;
  int offset;  // added to the upper case
};

// Upper cases of Unicode 16 and 17. Sorted.
constexpr LowerRange kLaterUpper[] = {
    {0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
    {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
    {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
    {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
    {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B},
};

struct Range {
  char32_t first;
  char32_t last;
};

// Marks that got their combining class after Unicode 9, and the parts of compositions that are
// younger than the reference's tables. Sorted. U+11A7, the empty final consonant of Hangul, is here
// because utf8proc drops it after a syllable; it composes with nothing.
constexpr Range kApart[] = {
    {0x5C8, 0x5C9},     {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},
    {0x9FE, 0x9FE},     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},
    {0x11A7, 0x11A7},   {0x1715, 0x1715},   {0x1ABF, 0x1AF0},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x105C9, 0x105C9}, {0x105D2, 0x105D2}, {0x105DA, 0x105DA},
    {0x105E4, 0x105E4}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC},
    {0x10ECB, 0x10ECF}, {0x10EF0, 0x10EFB}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
    {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11382, 0x11385},
    {0x1138B, 0x1138E}, {0x11390, 0x11391}, {0x113B8, 0x113B8}, {0x113BB, 0x113BB},
    {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113C9}, {0x113CE, 0x113D0},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938},
    {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
    {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x1611E, 0x16129}, {0x1612F, 0x1612F},
    {0x16D63, 0x16D63}, {0x16D67, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1D127, 0x1D128},
    {0x1D250, 0x1D252}, {0x1D25B, 0x1D25C}, {0x1D25F, 0x1D25F}, {0x1D280, 0x1D281},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6},
    {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
};

// Marks of Unicode 15.1 and 16. Sorted.
constexpr Range kMarksAfter15[] = {
    {0x897, 0x897},     {0x10D69, 0x10D6D}, {0x10EFC, 0x10EFC}, {0x113B8, 0x113C0},
    {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D0},
    {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x11F5A, 0x11F5A}, {0x1611E, 0x1612F},
    {0x1E5EE, 0x1E5EF},
};

// Marks of Unicode 17 and 18. Sorted.
constexpr Range kMarksAfter16[] = {
    {0x5C8, 0x5C9},     {0xB53, 0xB54},     {0x1ACF, 0x1AF0},   {0x10ECB, 0x10ECF},
    {0x10EF0, 0x10EFB}, {0x11B60, 0x11B67}, {0x11DF0, 0x11DF0}, {0x1D127, 0x1D128},
    {0x1D250, 0x1D252}, {0x1D25B, 0x1D25C}, {0x1D25F, 0x1D25F}, {0x1D280, 0x1D281},
    {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
};

// What is in words without being a letter, number or mark: joiners, and symbols that are
// alphabetic. Sorted.
constexpr Range kOthersInWords[] = {
    {0x200C, 0x200D}, {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};

/// The range of a sorted table that holds the code point, or null.
template <typename Each, std::size_t Count>
const Each* find_range(const Each (&table)[Count], char32_t code_point) {
  const Each* found =
      std::lower_bound(std::begin(table), std::end(table), code_point,
                       [](const Each& range, char32_t value) { return range.last < value; });
  return found != std::end(table) && found->first <= code_point ? found : nullptr;
}

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace

CharacterClass class_of(char32_t code_point) {
  if (is_space(code_point)) return CharacterClass::Space;
  if (const ClassRange* later = find_range(kLaterThan15, code_point)) return later->what;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharacterClass::Letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharacterClass::Number;
    default:
      return CharacterClass::Other;
  }
}

bool is_word_character(char32_t code_point) {
  if (find_range(kOthersInWords, code_point) || find_range(kMarksAfter15, code_point)) return true;
  if (find_range(kMarksAfter16, code_point)) return false;
  if (const ClassRange* later = find_range(kLaterThan15, code_point)) return later->what != kO;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

char32_t lower_case_of(char32_t code_point) {
  if (code_point == 0x130) return code_point;
  if (const LowerRange* later = find_range(kLaterUpper, code_point)) {
    return static_cast<char32_t>(static_cast<int>(code_point) + later->offset);
  }
  const ClassRange* later = find_range(kLaterThan15, code_point);
  if (later != nullptr && later->what == CharacterClass::Other) return code_point;
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}

bool stands_apart(char32_t code_point) { return find_range(kApart, code_point) != nullptr; }

}  // namespace ssd1b
