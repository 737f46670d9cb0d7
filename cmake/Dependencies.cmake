# Third-party libraries that both wings may use; libtorch and cpp-httplib have finders of their own.
find_package(Threads REQUIRED)

# ssd1b_need_package(<CMake package> <Debian package>): finds it, or says what to install or pass.
function(ssd1b_need_package package debian_name)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${package} was not found: apt-get install ${debian_name}, "
                        "or pass -D${package}_DIR=<folder of its CMake package>")
  endif()
  set(${package}_VERSION "${${package}_VERSION}" PARENT_SCOPE)
endfunction()

ssd1b_need_package(nlohmann_json nlohmann-json3-dev)
ssd1b_need_package(spdlog libspdlog-dev)
ssd1b_need_package(CLI11 libcli11-dev)
