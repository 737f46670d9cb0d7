# ssd1b_need_pkgconfig(<NAME> <pkg-config module> <Debian package>): the library as
# PkgConfig::<NAME>, or an error that says what to install. A target of that name that is there
# already is taken as it is.
find_package(PkgConfig QUIET)
function(ssd1b_need_pkgconfig name module debian_name)
  if(TARGET PkgConfig::${name})
    return()
  endif()
  if(NOT PkgConfig_FOUND)
    message(FATAL_ERROR "pkg-config was not found: apt-get install pkg-config")
  endif()
  pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${module} was not found: apt-get install ${debian_name}, or add the folder "
                        "of its ${module}.pc to the environment's PKG_CONFIG_PATH")
  endif()
endfunction()
