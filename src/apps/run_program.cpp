#include "apps/run_program.h"

#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

#include "logging/log.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

int end_with(const char* name, const std::string& what, ErrorCode code) {
  shut_down_logging();
  std::fflush(stdout);
  write_last_line(std::string(name) + ": " + what);
  return exit_status_of(code);
}

}  // namespace

int run_program(const char* name, const std::function<int()>& body) {
  try {
    const int status = body();
    shut_down_logging();
    return status;
  } catch (const Error& error) {
    return end_with(name, error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return end_with(name, "the system gave no memory", ErrorCode::SystemRefused);
  } catch (const std::system_error& refusal) {  // no thread, no file
    return end_with(name, std::string("the system refused something: ") + refusal.what(),
                    ErrorCode::SystemRefused);
  } catch (const std::exception& fault) {
    return end_with(name, std::string("this is a bug: ") + fault.what(), ErrorCode::InternalError);
  }
}

int print_and_end(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw Error(ErrorCode::SystemRefused, "standard output cannot be written");
  }
  return 0;
}

}  // namespace ssd1b
