# tidegate_envoy_protos: C++ of Envoy's protocol definitions, generated at build time from the .proto files that
# tools/setup (step xdsprotos) printed. Compiled as a few translation units, because each of the 70 small files would
# otherwise read the same headers again, and without optimisation beyond -O1: none of it is hot.
set(TIDEGATE_PROTOS_DIR ${TIDEGATE_CACHE}/protos CACHE PATH "Envoy's .proto files, printed by tools/setup xdsprotos")

file(GLOB_RECURSE _protos RELATIVE ${TIDEGATE_PROTOS_DIR} CONFIGURE_DEPENDS ${TIDEGATE_PROTOS_DIR}/*.proto)
if(NOT _protos)
  message(FATAL_ERROR "No .proto files in ${TIDEGATE_PROTOS_DIR}. Run: tools/setup xdsprotos")
endif()
list(SORT _protos)

set(_generated_dir ${CMAKE_CURRENT_BINARY_DIR}/protos)
file(MAKE_DIRECTORY ${_generated_dir})
set(_ads envoy/service/discovery/v3/ads)
set(_inputs)
set(_outputs ${_generated_dir}/${_ads}.grpc.pb.cc ${_generated_dir}/${_ads}.grpc.pb.h)
foreach(_proto ${_protos})
  string(REGEX REPLACE "\\.proto$" ".pb" _stem ${_proto})
  list(APPEND _inputs ${TIDEGATE_PROTOS_DIR}/${_proto})
  list(APPEND _outputs ${_generated_dir}/${_stem}.cc ${_generated_dir}/${_stem}.h)
endforeach()

add_custom_command(
  OUTPUT ${_outputs}
  COMMAND ${PROTOC} -I ${TIDEGATE_PROTOS_DIR} --cpp_out=${_generated_dir} ${_protos}
  COMMAND ${PROTOC} -I ${TIDEGATE_PROTOS_DIR} --grpc_out=${_generated_dir}
          --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${_ads}.proto
  DEPENDS ${_inputs}
  COMMENT "Generating C++ of Envoy's protocol definitions"
  VERBATIM)

# The generated files name two of their statics alike; in one translation unit each needs names of its own.
set(_unities 4)
math(EXPR _last "${_unities} - 1")
foreach(_unity RANGE ${_last})
  set(_text_${_unity} "#include <google/protobuf/generated_message_reflection.h>\n")
endforeach()
set(_index 0)
foreach(_proto ${_protos})
  string(REGEX REPLACE "\\.proto$" ".pb.cc" _source ${_proto})
  math(EXPR _unity "${_index} % ${_unities}")
  string(APPEND _text_${_unity} "#define file_default_instances file_default_instances_${_index}\n"
    "#define schemas schemas_${_index}\n#include \"${_source}\"\n#undef file_default_instances\n#undef schemas\n")
  math(EXPR _index "${_index} + 1")
endforeach()
set(_sources ${_generated_dir}/${_ads}.grpc.pb.cc)
foreach(_unity RANGE ${_last})
  set(_source ${CMAKE_CURRENT_BINARY_DIR}/envoy_protos_${_unity}.cc)
  file(CONFIGURE OUTPUT ${_source} CONTENT "${_text_${_unity}}" @ONLY)
  list(APPEND _sources ${_source})
endforeach()

add_library(tidegate_envoy_protos STATIC ${_sources})
set_source_files_properties(${_sources} PROPERTIES OBJECT_DEPENDS "${_outputs}")
target_include_directories(tidegate_envoy_protos SYSTEM PUBLIC ${_generated_dir})
target_compile_options(tidegate_envoy_protos PRIVATE -O1 -g0 -w)
target_link_libraries(tidegate_envoy_protos PUBLIC tidegate_protobuf)
# Whoever includes a generated header must wait for it.
add_custom_target(tidegate_envoy_proto_headers DEPENDS ${_outputs})
add_dependencies(tidegate_envoy_protos tidegate_envoy_proto_headers)
