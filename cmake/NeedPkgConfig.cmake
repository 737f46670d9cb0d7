# ssd1b_need_pkgconfig(<NAME> <pkg-config module> <Debian package>): the library as
# PkgConfig::<NAME>, or an error that says what to install.
find_package(PkgConfig REQUIRED)
function(ssd1b_need_pkgconfig name module debian_name)
  pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${module} was not found: apt-get install ${debian_name}, or add the folder "
                        "of its ${module}.pc to the environment's PKG_CONFIG_PATH")
  endif()
endfunction()
