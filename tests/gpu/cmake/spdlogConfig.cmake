add_library(spdlog::spdlog_header_only INTERFACE IMPORTED GLOBAL)
target_include_directories(spdlog::spdlog_header_only SYSTEM INTERFACE "${SSD1B_BUNDLE}/include")
# Debian's spdlog uses fmt beside it, without fmt's library here.
target_compile_definitions(spdlog::spdlog_header_only
                           INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
