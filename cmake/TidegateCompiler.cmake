# Language, warnings, sanitizers, ccache and linker: the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

set(TIDEGATE_SANITIZE "" CACHE STRING "address | thread | fuzzer (with clang) | empty")

# Objects are shared by all clones on a machine: paths below the source folder count as relative ones.
find_program(CCACHE ccache)
set(TIDEGATE_CACHE "$ENV{TIDEGATE_CACHE}" CACHE PATH "Where tools/setup puts what it downloads, and ccache its objects")
if(NOT TIDEGATE_CACHE)
  set(TIDEGATE_CACHE "$ENV{HOME}/.cache/tidegate")
endif()
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DIR=${TIDEGATE_CACHE}/ccache
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_compile_options(-fno-omit-frame-pointer)
if(TIDEGATE_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(TIDEGATE_SANITIZE STREQUAL "thread")
  # It does not follow fences and g++ says so wherever one is inlined: Asio's, beside its locks.
  add_compile_options(-fsanitize=thread $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  add_link_options(-fsanitize=thread)
elseif(TIDEGATE_SANITIZE STREQUAL "fuzzer")
  # Counters of covered edges in all of our code; the fuzzer's own main only in the targets (tests/fuzz).
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
  add_compile_definitions(FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
  # Boost 1.74 looks for C++20's coroutines with g++ only, and newer compilers do not take fmt 9's consteval.
  add_compile_definitions(BOOST_ASIO_HAS_CO_AWAIT=1 FMT_CONSTEVAL=)
  add_link_options(-fsanitize=address,undefined)
else()
  find_program(MOLD mold)
  if(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

# Our own code; generated code compiles without these.
add_library(tidegate_warnings INTERFACE)
target_compile_options(tidegate_warnings INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside the standard library and Asio's coroutines, not in our code.
  target_compile_options(tidegate_warnings INTERFACE -Werror
    -Wno-restrict -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-mismatched-new-delete)
endif()
