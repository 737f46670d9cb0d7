# cmake -DFOLDER=... -DOUTPUT=... -P embed_page.cmake: writes the page's files as string literals. They
# are read as hex digits, because CMake's strings give some characters a meaning of their own.
set(text "// Made by embed_page.cmake.\n#include \"service/playground/page_sources.h\"\n\nnamespace ssd1b {\n\n")
foreach(kind html css js)
  file(READ "${FOLDER}/page.${kind}" digits HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${digits}")
  string(APPEND text "std::string_view page_${kind}() { return \"${bytes}\"; }\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}\n}  // namespace ssd1b\n")
