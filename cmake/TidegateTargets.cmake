# tidegate_library(NAME [PUBLIC lib...] [PRIVATE lib...]): every .cc of the current folder as one static library
# `tidegate_NAME`, included as "NAME/header.h".
function(tidegate_library name)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    add_library(tidegate_${name} INTERFACE)
    target_include_directories(tidegate_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(tidegate_${name} INTERFACE ${ARG_PUBLIC} ${ARG_PRIVATE})
    return()
  endif()
  add_library(tidegate_${name} STATIC ${sources})
  target_include_directories(tidegate_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(tidegate_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} tidegate_warnings)
endfunction()

# tidegate_test(NAME lib...): every *_test.cc of the current folder as one GoogleTest program `NAME_test`,
# a ctest entry for each test case.
include(GoogleTest)
# In a header and not on the command line, so that only the tests that read files are compiled anew in another clone.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/source_dir.h
  CONTENT "#pragma once\n#define TIDEGATE_SOURCE_DIR \"${CMAKE_SOURCE_DIR}\"\n")
function(tidegate_test name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests
    ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(${name}_test PRIVATE ${ARGN} tidegate_warnings GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 120 LABELS ${name})
endfunction()
