# SPDX-License-Identifier: Apache-2.0
# What the CUDA device's library is made of; for its own build and for the tests', which compiles the same for the CPU.

set(mien_cuda_sources
  attention.cu
  bench.cpp
  bench_encoder.cpp
  bench_head.cpp
  bench_roofs.cu
  cublas.cpp
  forward.cpp
  head.cu
  lane.cpp
  layers.cu
  module.cpp
  product.cu
  rows.cpp
  runtime.cpp
  texts.cpp
  weights.cpp)
list(TRANSFORM mien_cuda_sources PREPEND ${CMAKE_CURRENT_LIST_DIR}/)

# It shares no symbol with libmien: what it needs of it is compiled into it.
set(mien_cuda_c_sources
  base/memory.c
  base/status.c
  base/utf8.c)
list(TRANSFORM mien_cuda_c_sources PREPEND ${PROJECT_SOURCE_DIR}/src/)

# Links a library so that it exports what libmien looks up and nothing else, and finds all it needs.
set(mien_cuda_exports ${CMAKE_CURRENT_LIST_DIR}/exports.map)
function(mien_cuda_link_options library)
  target_link_options(${library} PRIVATE -Wl,--version-script,${mien_cuda_exports} -Wl,--exclude-libs,ALL
                                         -Wl,--as-needed)
  set_target_properties(${library} PROPERTIES LINK_DEPENDS ${mien_cuda_exports})
  if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize") # the sanitizers' functions are in the programs
    target_link_options(${library} PRIVATE -Wl,--no-undefined)
  endif()
endfunction()
