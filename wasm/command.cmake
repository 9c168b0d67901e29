# SPDX-License-Identifier: Apache-2.0
# The command in Node: the native one's sources on the system of command/. Its scripts are Emscripten's, which their
# optimiser's modules, the distribution's, have to be found for.
set(command ${CMAKE_CURRENT_SOURCE_DIR}/command)
add_executable(mien_wasm_command ${command}/shipped.c ${command}/system.c ${CMAKE_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(mien_wasm_command PRIVATE mien_command_objects mien_objects protobuf_c jansson)
# The objects are bitcode without threads in mind, which get them when they are linked: so the modules and the command
# share them. The command has a thread of its own beside Node's main thread, which hears of signals.
target_link_options(mien_wasm_command PRIVATE -O3 -pthread -sPROXY_TO_PTHREAD -sEXIT_RUNTIME -sENVIRONMENT=node,worker
                    -sNODEJS_CATCH_EXIT=0 -sNODEJS_CATCH_REJECTION=0 -sFILESYSTEM=0
                    -sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=4GB -sWASM_BIGINT
                    --js-library ${command}/node.js --pre-js ${command}/load.js)
set_target_properties(mien_wasm_command PROPERTIES OUTPUT_NAME mien-command SUFFIX .js
                      LINK_DEPENDS "${command}/node.js;${command}/load.js"
                      RULE_LAUNCH_LINK "${CMAKE_COMMAND} -E env NODE_PATH=/usr/share/nodejs")
