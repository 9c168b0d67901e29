// SPDX-License-Identifier: Apache-2.0
// What stands before Emscripten's script: it would ask Node's fetch for a file. A thread has its module already.
if (!Module.instantiateWasm) {
  Module.instantiateWasm = function (imports, receive) {
    const module = new WebAssembly.Module(require('fs').readFileSync(__dirname + '/mien-command.wasm'))
    const instance = new WebAssembly.Instance(module, imports)
    receive(instance, module)
    return instance.exports
  }
  // A thread may close what another one has opened, and what it has opened outlives it.
  const threads = require('worker_threads')
  threads.Worker = class extends threads.Worker {
    constructor(script) {
      super(script, { trackUnmanagedFds: false })
    }
  }
  process.on('uncaughtException', function (error) {
    require('fs').writeSync(2, 'mien: a bug: ' + error.stack + '\n')
    process.exit(1)
  })
}
