#pragma once

#include <string_view>

namespace ssd1b {

/// The files of these names as they were when this was built.
std::string_view page_html();
std::string_view page_css();
std::string_view requests_js();
std::string_view pictures_js();
std::string_view page_js();

}  // namespace ssd1b
