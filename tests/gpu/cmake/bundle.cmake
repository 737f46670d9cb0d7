# Given to CMake as CMAKE_PROJECT_ssd1b-server_INCLUDE by tests/gpu/run: libraries come from SSD1B_BUNDLE, the
# third_party folder that tests/gpu/pack filled.
add_library(PkgConfig::SSD1B_UTF8PROC STATIC IMPORTED GLOBAL)
set_target_properties(PkgConfig::SSD1B_UTF8PROC PROPERTIES
  IMPORTED_LOCATION "${SSD1B_BUNDLE}/lib/libutf8proc.a"
  INTERFACE_INCLUDE_DIRECTORIES "${SSD1B_BUNDLE}/include"
  INTERFACE_COMPILE_DEFINITIONS UTF8PROC_STATIC)
list(PREPEND CMAKE_PREFIX_PATH "${CMAKE_CURRENT_LIST_DIR}/.." "${SSD1B_BUNDLE}")

# The libstdc++ that libtorch uses, by name: a compiler that has it as an archive only would put a second one into each
# program, which then ends with "free(): invalid pointer".
find_library(SSD1B_LIBSTDCXX NAMES libstdc++.so.6 PATHS /usr/lib/x86_64-linux-gnu /usr/lib64 REQUIRED)
link_libraries("${SSD1B_LIBSTDCXX}")
