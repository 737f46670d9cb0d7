#include "service/playground/playground.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "service/playground/page_sources.h"

namespace ssd1b {
namespace {

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string whole_script() {
  return std::string(requests_js()).append(pictures_js()).append(page_js());
}

TEST(Playground, StyleAndScriptStandInTheDocumentOnceAndWhole) {
  const std::string& html = playground_page().html;
  const std::string script = whole_script();

  EXPECT_EQ(count_of(html, "<style>" + std::string(page_css()) + "</style>"), 1);
  EXPECT_EQ(count_of(html, "<script>" + script + "</script>"), 1);
  EXPECT_EQ(count_of(html, "<style"), 1);
  EXPECT_EQ(count_of(html, "<script"), 1);
  EXPECT_EQ(count_of(html, "</script"), 1) << "the script would end there";
  EXPECT_EQ(html.find('\r'), std::string::npos) << "browsers hash a line feed instead";
}

TEST(Playground, NothingInThePageBreaksItsOwnPolicy) {
  const std::string markup(page_html());
  for (const char* pattern : {"\\sstyle=", "\\son[a-z]+=", "javascript:",
                              "(src|href|action)=\"(http|//)", "<(iframe|object|embed|base)"}) {
    EXPECT_FALSE(std::regex_search(markup, std::regex(pattern))) << pattern;
  }
  const std::string style(page_css());
  EXPECT_FALSE(std::regex_search(style, std::regex("@import|url\\(")));
  const std::string script = whole_script();
  for (const char* pattern :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document\\.write", "\\beval\\(",
        "new Function", "setAttribute\\(\"(style|on)", "https?://"}) {
    EXPECT_FALSE(std::regex_search(script, std::regex(pattern))) << pattern;
  }
}

TEST(Playground, EachElementThatTheScriptNamesIsThere) {
  const std::string markup(page_html());
  const std::string script = whole_script();
  const std::regex named("\\bat\\(\"([a-z_]+)\"\\)");
  int found = 0;
  for (std::sregex_iterator it(script.begin(), script.end(), named), end; it != end;
       ++it, ++found) {
    const std::string id = (*it)[1];
    EXPECT_EQ(count_of(markup, " id=\"" + id + "\""), 1) << id;
  }
  EXPECT_GT(found, 20);
}

TEST(Playground, ThePolicyAllowsOnlyThePageItself) {
  const std::string& policy = playground_page().content_security_policy;
  const std::string hash = "'sha256-[A-Za-z0-9+/]{43}='";

  EXPECT_TRUE(std::regex_match(
      policy, std::regex("default-src 'none'; script-src " + hash + "; style-src " + hash +
                         "; img-src blob: data:; connect-src 'self'; base-uri 'none'; "
                         "form-action 'none'; frame-ancestors 'none'; "
                         "require-trusted-types-for 'script'; trusted-types 'none'")))
      << policy;
}

}  // namespace
}  // namespace ssd1b
