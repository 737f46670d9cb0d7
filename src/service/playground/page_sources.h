#pragma once

#include <string_view>

namespace ssd1b {

/// page.html, page.css and page.js as they were when this was built.
std::string_view page_html();
std::string_view page_css();
std::string_view page_js();

}  // namespace ssd1b
