# cmake -DFOLDER=... -DFILES=page.html;... -DOUTPUT=... -P embed_page.cmake: writes the files as string
# literals, each behind a function of its name (page_html). They are read as hex digits, because CMake's strings give some characters a meaning of their own.
set(text "// Made by embed_page.cmake.\n#include \"service/playground/page_sources.h\"\n\nnamespace ssd1b {\n\n")
foreach(file IN LISTS FILES)
  string(REPLACE "." "_" name "${file}")
  file(READ "${FOLDER}/${file}" digits HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${digits}")
  string(APPEND text "std::string_view ${name}() { return \"${bytes}\"; }\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}\n}  // namespace ssd1b\n")
