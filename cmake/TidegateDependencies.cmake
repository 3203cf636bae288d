# Third-party libraries, each behind one name. gRPC, protobuf and Abseil are linked statically and their symbols hidden:
# TensorFlow's library carries its own copies and is loaded into the same process.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(absl REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SPDLOG REQUIRED IMPORTED_TARGET spdlog)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_library(CPPREST_LIBRARY cpprest REQUIRED)
find_library(BOOST_SYSTEM_LIBRARY NAMES libboost_system.a boost_system REQUIRED)

set(_static_dir /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE})
if(NOT CMAKE_LIBRARY_ARCHITECTURE)
  set(_static_dir /usr/lib/x86_64-linux-gnu)
endif()
file(GLOB _absl_archives ${_static_dir}/libabsl_*.a)

add_library(tidegate_absl INTERFACE)
target_link_libraries(tidegate_absl INTERFACE -Wl,--start-group ${_absl_archives} -Wl,--end-group Threads::Threads)

add_library(tidegate_protobuf INTERFACE)
target_link_libraries(tidegate_protobuf INTERFACE ${_static_dir}/libprotobuf.a ZLIB::ZLIB Threads::Threads)

# With ThreadSanitizer protobuf's headers give a map two members more, of which Debian's library knows nothing. Only
# libstdc++, which has no code of its own for it in a library, is to be told.
if(TIDEGATE_SANITIZE STREQUAL "thread")
  target_compile_options(tidegate_protobuf INTERFACE -U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
endif()

add_library(tidegate_grpc INTERFACE)
target_link_libraries(tidegate_grpc INTERFACE
  -Wl,--start-group ${_static_dir}/libgrpc++.a ${_static_dir}/libgrpc.a ${_static_dir}/libgpr.a ${_static_dir}/libupb.a
  ${_static_dir}/libaddress_sorting.a ${_static_dir}/libre2.a ${_static_dir}/libcares.a ${_absl_archives} -Wl,--end-group
  tidegate_protobuf OpenSSL::SSL OpenSSL::Crypto ${CMAKE_DL_LIBS})

# What the model server allocates with (docs/adr/0009). The sanitizers bring their own.
add_library(tidegate_allocator INTERFACE)
if(NOT TIDEGATE_SANITIZE)
  pkg_check_modules(TCMALLOC REQUIRED IMPORTED_TARGET libtcmalloc_minimal)
  target_compile_definitions(tidegate_allocator INTERFACE TIDEGATE_TCMALLOC)
  target_link_libraries(tidegate_allocator INTERFACE PkgConfig::TCMALLOC)
endif()
