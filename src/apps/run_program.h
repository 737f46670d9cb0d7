#pragma once

#include <functional>
#include <string>

namespace ssd1b {

/// Runs the body of a main function. What it throws becomes one line on standard error, `name:
/// what`, and the exit status; the log is written out before.
int run_program(const char* name, const std::function<int()>& body);

/// Writes what --help or --version asked for to standard output; the exit status.
int print_and_end(const std::string& text);

}  // namespace ssd1b
