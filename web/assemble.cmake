# SPDX-License-Identifier: Apache-2.0
# Puts the page's files and those of the packages that it loads into FOLDER, with a service worker that knows their names
# and a hash of them all. cmake -D PAGE=names -D SOURCE=web -D NPM=build/wasm/npm -D FOLDER=out -P assemble.cmake

# Of mien-wasm what browsers load: not what is for Node and edge runtimes, nor the module of heads.
file(GLOB packages RELATIVE ${NPM} ${NPM}/mien-wasm/*.js ${NPM}/mien-wasm/*.wasm)
list(FILTER packages EXCLUDE REGEX "/(cli|edge|.*node|mien-head)[.]")
list(APPEND packages mien-goemotions-tiny/index.js mien-goemotions-tiny/metrics.json mien-goemotions-tiny/README.md)
set(model mien-goemotions-tiny/model.safetensors)

# What an earlier version had and this one has not goes.
file(GLOB_RECURSE old RELATIVE ${FOLDER} ${FOLDER}/*)
if(old)
  list(REMOVE_ITEM old ${PAGE} ${packages} ${model} service-worker.js)
  foreach(file ${old})
    file(REMOVE ${FOLDER}/${file})
  endforeach()
endif()

set(hashes)
macro(take from file)
  get_filename_component(to ${FOLDER}/${file} DIRECTORY)
  file(COPY ${from}/${file} DESTINATION ${to} NO_SOURCE_PERMISSIONS)
  file(SHA256 ${from}/${file} hash)
  string(APPEND hashes "${hash} ${file}\n")
endmacro()
foreach(file ${PAGE})
  take(${SOURCE} ${file})
endforeach()
foreach(file ${packages} ${model})
  take(${NPM} ${file})
endforeach()

string(SHA256 VERSION "${hashes}")
set(cached ${PAGE} ${packages})
list(JOIN cached " " FILES)
configure_file(${SOURCE}/service-worker.js ${FOLDER}/service-worker.js @ONLY)
message(STATUS "The page is in ${FOLDER}")
