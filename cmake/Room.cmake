# A room is a folder of src/, one library ssd1b::<name>, and sees only the headers of the rooms it
# links: each room's headers are reached through a link of its own in the build folder, so that an
# include of a room that is not linked does not compile.
#
#   ssd1b_room(unet FOLDER inference/unet TORCH SOURCES unet.cpp LINKS ssd1b::layers)
#
# TORCH gives the room libtorch and the precompiled <ATen/ATen.h>. LINKS are seen by users of the
# room, PRIVATE_LINKS are not (third-party libraries belong there where no header shows them).
function(ssd1b_room name)
  cmake_parse_arguments(ROOM "TORCH" "FOLDER" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  if(NOT ROOM_FOLDER)
    set(ROOM_FOLDER ${name})
  endif()
  set(doors "${CMAKE_BINARY_DIR}/doors/${name}")
  get_filename_component(parent "${doors}/${ROOM_FOLDER}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src/${ROOM_FOLDER}" "${doors}/${ROOM_FOLDER}" SYMBOLIC)

  add_library(ssd1b_${name} STATIC ${ROOM_SOURCES})
  add_library(ssd1b::${name} ALIAS ssd1b_${name})
  target_include_directories(ssd1b_${name} PUBLIC "${doors}" "${CMAKE_SOURCE_DIR}/include")
  target_link_libraries(ssd1b_${name} PUBLIC ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
  if(ROOM_TORCH)
    ssd1b_use_torch(ssd1b_${name})
  endif()
endfunction()

# Links libtorch to a target of ours and gives it the precompiled header of the torch rooms.
function(ssd1b_use_torch target)
  target_link_libraries(${target} PUBLIC ssd1b::torch)
  target_precompile_headers(${target} REUSE_FROM ssd1b_torch_headers)
  # A program would be compiled with -fPIE, and gcc refuses a header precompiled with -fPIC then.
  target_compile_options(${target} PRIVATE -fPIC)
endfunction()

# ssd1b_test(unet SOURCES config_test.cpp LINKS ssd1b::unet [TORCH]): one gtest program of the tests
# of one room.
function(ssd1b_test name)
  cmake_parse_arguments(TEST "TORCH" "" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name}_test ${TEST_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${TEST_LINKS} GTest::gmock GTest::gtest_main)
  target_include_directories(${name}_test PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(${name}_test PRIVATE SSD1B_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                  SSD1B_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  if(TEST_TORCH)
    ssd1b_use_torch(${name}_test)
  endif()
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS "${TEST_LABELS}")
endfunction()
