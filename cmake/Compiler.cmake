# Flags for every target of ours: warnings, hardening, sanitizers, the compiler cache.
include(CheckPIESupported)
check_pie_supported()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow)
if(SSD1B_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_options(-fstack-protector-strong)
add_link_options(LINKER:-z,relro,-z,now)
add_compile_definitions(_GLIBCXX_ASSERTIONS)

if(SSD1B_SANITIZE)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The sanitizers' own code makes gcc see uses of uninitialised values that are none.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_compile_options(-fsanitize=${SSD1B_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${SSD1B_SANITIZE})
else()
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

find_program(SSD1B_CCACHE ccache)
if(SSD1B_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what lets ccache serve files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${SSD1B_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()
