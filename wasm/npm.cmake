# SPDX-License-Identifier: Apache-2.0
# The npm packages as they are published, in npm/ of the build folder: mien-wasm and the model that it loads by default.
# `npm pack` in either makes a tarball. Their version is the library's.
set(npm ${CMAKE_BINARY_DIR}/npm)
set(model ${CMAKE_SOURCE_DIR}/models/goemotions-tiny)
set(package ${CMAKE_CURRENT_SOURCE_DIR}/npm)
set(model_package ${CMAKE_CURRENT_SOURCE_DIR}/npm-model)
file(SHA256 ${model}/model.safetensors MODEL_SHA256)
file(SIZE ${model}/model.safetensors MODEL_BYTES)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${model}/model.safetensors)
configure_file(${package}/package.json.in ${npm}/mien-wasm/package.json @ONLY)
configure_file(${model_package}/package.json.in ${npm}/mien-goemotions-tiny/package.json @ONLY)
configure_file(${model_package}/index.js.in ${npm}/mien-goemotions-tiny/index.js @ONLY)

file(GLOB scripts CONFIGURE_DEPENDS ${package}/*.js ${package}/*.d.ts ${package}/README.md)
set(model_files ${model}/model.safetensors ${model}/thresholds.json ${model}/metrics.json ${model}/README.md
                ${model_package}/index.d.ts)
set(license ${CMAKE_SOURCE_DIR}/LICENSE)
# The command's scripts are CommonJS, which only a folder of its own says of files that end in .js.
file(WRITE ${npm}/mien-wasm/command/package.json "{ \"type\": \"commonjs\" }\n")
set(command $<TARGET_FILE_DIR:mien_wasm_command>/$<TARGET_FILE_BASE_NAME:mien_wasm_command>)
set(command_files ${command}.js ${command}.wasm ${command}.worker.js)
if(NOT relaxed_module) # bundlers want a file of the name: this one is never faster than itself
  set(relaxed_module ${CMAKE_BINARY_DIR}/unrelaxed/mien-relaxed.wasm)
  add_custom_command(OUTPUT ${relaxed_module} COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:mien_wasm_pack> ${relaxed_module}
                     DEPENDS mien_wasm_pack VERBATIM)
endif()
add_custom_command(
  OUTPUT ${npm}/.done
  COMMAND ${CMAKE_COMMAND} -E copy ${scripts} ${license} $<TARGET_FILE:mien_wasm_pack> ${relaxed_module}
          $<TARGET_FILE:mien_wasm_head> ${npm}/mien-wasm
  COMMAND ${CMAKE_COMMAND} -E copy ${command_files} ${npm}/mien-wasm/command
  COMMAND ${CMAKE_COMMAND} -E copy ${model_files} ${license} ${npm}/mien-goemotions-tiny
  COMMAND ${CMAKE_COMMAND} -E touch ${npm}/.done
  DEPENDS ${scripts} ${model_files} ${license} ${relaxed_module} mien_wasm_pack mien_wasm_head mien_wasm_command VERBATIM)
add_custom_target(npm ALL DEPENDS ${npm}/.done)
