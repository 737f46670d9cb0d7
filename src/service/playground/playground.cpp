#include "service/playground/playground.h"

#include <openssl/sha.h>

#include <array>
#include <string_view>

#include "service/image_files/base64.h"
#include "service/playground/page_sources.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// The name by which a policy knows a style or a script that stands in the document itself.
std::string hash_source(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return "'sha256-" + base64_of({reinterpret_cast<const char*>(digest.data()), digest.size()}) +
         "'";
}

/// Puts `text` where `mark` stands in `html`.
void fill_in(std::string& html, std::string_view mark, std::string_view text) {
  const std::size_t at = html.find(mark);
  if (at == std::string::npos) {
    throw Error(ErrorCode::InternalError,
                "page.html must hold " + std::string(mark) + ": this is a bug");
  }
  html.replace(at, mark.size(), text);
}

PlaygroundPage made_page() {
  PlaygroundPage page;
  page.html = page_html();
  const std::string script = std::string(requests_js()).append(pictures_js()).append(page_js());
  fill_in(page.html, "/* page.css */", page_css());
  fill_in(page.html, "/* requests.js, pictures.js, page.js */", script);
  // Pictures are blobs, previews and the icon data. Prompts are other people's text: Trusted Types
  // keep the script from ever making markup or code of one.
  page.content_security_policy = "default-src 'none'; script-src " + hash_source(script) +
                                 "; style-src " + hash_source(page_css()) +
                                 "; img-src blob: data:; connect-src 'self'; base-uri 'none'; "
                                 "form-action 'none'; frame-ancestors 'none'; "
                                 "require-trusted-types-for 'script'; trusted-types 'none'";
  return page;
}

}  // namespace

const PlaygroundPage& playground_page() {
  static const PlaygroundPage kPage = made_page();
  return kPage;
}

HttpReply get_playground() {
  HttpReply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.headers = {{"Content-Security-Policy", playground_page().content_security_policy},
                   {"Referrer-Policy", "no-referrer"}};
  reply.body = playground_page().html;
  return reply;
}

}  // namespace ssd1b
