# SPDX-License-Identifier: Apache-2.0
# mien-relaxed.wasm: the module of packs with a kernel of relaxed SIMD, whose instructions Emscripten's own compiler may be
# too old for. LLVM's of version 19 or newer compiles that kernel, and links it with the objects that Emscripten made.
find_program(MIEN_WASM_CLANG NAMES clang-22 clang-21 clang-20 clang-19 clang)
find_program(MIEN_WASM_LD NAMES wasm-ld-22 wasm-ld-21 wasm-ld-20 wasm-ld-19 wasm-ld)
set(relaxed_module "")
foreach(tool MIEN_WASM_CLANG MIEN_WASM_LD)
  set(version 0)
  if(${tool})
    execute_process(COMMAND ${${tool}} --version OUTPUT_VARIABLE version ERROR_QUIET)
    string(REGEX MATCH "[0-9]+\\.[0-9]+" version "${version}")
  endif()
  if(version VERSION_LESS 19)
    message(STATUS "mien-relaxed.wasm is not built: ${tool}: expected LLVM 19 or newer, found '${${tool}}' ${version}")
    return()
  endif()
endforeach()

set(kernel ${CMAKE_SOURCE_DIR}/src/kernels/encoder_int8_relaxed.c)
set(kernel_object ${CMAKE_CURRENT_BINARY_DIR}/encoder_int8_relaxed.o)
add_custom_command(
  OUTPUT ${kernel_object}
  COMMAND ${MIEN_WASM_CLANG} --target=wasm32-unknown-emscripten -mcpu=mvp -mmutable-globals -msign-ext -msimd128
          -mrelaxed-simd -std=c17 -O3 -DNDEBUG -fno-trapping-math -ffp-contract=off -Wall -Wextra -Wshadow -Wvla
          -isystem ${EMSCRIPTEN_SYSROOT}/include -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/src
          -MD -MF ${kernel_object}.d -c ${kernel} -o ${kernel_object}
  DEPENDS ${kernel} DEPFILE ${kernel_object}.d VERBATIM)

set(libraries ${EMSCRIPTEN_SYSROOT}/lib/wasm32-emscripten)
set(relaxed_module ${CMAKE_CURRENT_BINARY_DIR}/mien-relaxed.wasm)
set(objects "")
foreach(library mien_objects protobuf_c jansson mien_wasm_pack_objects mien_wasm_relaxed_objects)
  list(APPEND objects $<TARGET_OBJECTS:${library}>)
endforeach()
add_custom_command(
  OUTPUT ${relaxed_module}
  COMMAND ${MIEN_WASM_LD} ${objects} ${kernel_object} -L${libraries} ${libraries}/crt1_reactor.o -lstandalonewasm-memgrow
          -lstubs -lnoexit -lc-optz -ldlmalloc -lcompiler_rt --entry=_initialize --strip-all --lto-O3 -z
          stack-size=5242880 --initial-memory=16777216 --max-memory=4294967296 --global-base=1024 -o ${relaxed_module}
  DEPENDS ${kernel_object} mien_objects protobuf_c jansson mien_wasm_pack_objects mien_wasm_relaxed_objects ${objects}
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(mien_wasm_relaxed ALL DEPENDS ${relaxed_module})
