# SPDX-License-Identifier: Apache-2.0
# protobuf-c and jansson for WebAssembly, of the distribution's sources, under the names that they have natively.
set(sources ${CMAKE_BINARY_DIR}/sources)
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/sources.sh ${sources} COMMAND_ERROR_IS_FATAL ANY)

add_library(protobuf_c OBJECT ${sources}/protobuf-c/protobuf-c/protobuf-c.c)
target_include_directories(protobuf_c PUBLIC ${sources}/protobuf-c)

file(GLOB jansson_files CONFIGURE_DEPENDS ${sources}/jansson/src/*.c)
set(json_inline inline)
set(json_have_long_long 1)
set(json_have_localeconv 0)
set(json_have_atomic_builtins 0)
set(json_have_sync_builtins 0)
configure_file(${sources}/jansson/src/jansson_config.h.in ${CMAKE_BINARY_DIR}/config/jansson_config.h @ONLY)
file(WRITE ${CMAKE_BINARY_DIR}/config/jansson_private_config.h "")
add_library(jansson OBJECT ${jansson_files})
target_include_directories(jansson PUBLIC ${CMAKE_BINARY_DIR}/config ${sources}/jansson/src)

foreach(library protobuf_c jansson)
  target_compile_definitions(${library} PUBLIC HAVE_STDINT_H) # what they are told by who builds with them
  target_compile_options(${library} PRIVATE -w) # others' code is not held to our warnings
endforeach()
add_library(PkgConfig::PROTOBUF_C ALIAS protobuf_c)
add_library(PkgConfig::JANSSON ALIAS jansson)
add_library(Threads::Threads INTERFACE IMPORTED)
