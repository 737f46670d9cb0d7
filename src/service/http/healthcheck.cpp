#include "service/http/healthcheck.h"

#include <httplib.h>

#include <algorithm>

#include "service/http/gate/request_target.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr time_t kTimeoutS = 4;

}  // namespace

bool healthcheck(const std::string& url) {
  const std::string scheme = "http://";
  const std::size_t path_begin = std::min(url.find_first_of("/?", scheme.size()), url.size());
  const std::size_t path_end = std::min(url.find('?', path_begin), url.size());
  const std::string path = url.substr(path_begin, path_end - path_begin);
  const std::string query = url.substr(path_end);
  if (url.compare(0, scheme.size(), scheme) != 0 ||
      !is_host(url.substr(scheme.size(), path_begin - scheme.size()))) {
    throw Error(ErrorCode::Usage,
                "the URL to check must be like http://127.0.0.1:5000, got \"" + url + "\"");
  }
  httplib::Client client(url.substr(0, path_begin));
  if (!client.is_valid()) return false;  // port 0: nobody listens there
  client.set_connection_timeout(kTimeoutS);
  client.set_read_timeout(kTimeoutS);
  client.set_write_timeout(kTimeoutS);
  // At / is the page, which is there however the service fares.
  const auto result = client.Get((path.empty() || path == "/" ? "/healthz" : path) + query);
  return result && result->status == 200;
}

}  // namespace ssd1b
