// SPDX-License-Identifier: Apache-2.0
// What the command asks of Node: a library for Emscripten's linker, whose functions node.h declares. Descriptors are the
// system's own, which all threads of a process share, and paths are bytes. A failure is minus the number of errno.
mergeInto(LibraryManager.library, {
  $mien_node: {},
  $mien_node__deps: ['$ERRNO_CODES'],
  $mien_node__postset:
    "Object.assign(mien_node, { fs: require('fs'), os: require('os'), tty: require('tty'), listing: [] });",

  $mien_try__deps: ['$mien_node'],
  $mien_try: function (action) {
    try {
      return action(mien_node.fs)
    } catch (error) {
      return -(ERRNO_CODES[error.code] || ERRNO_CODES.EIO)
    }
  },

  // The bytes of a C string, not shared with other threads as the memory is.
  $mien_bytes: function (text) {
    const start = text >>> 0
    return Buffer.from(HEAPU8.slice(start, HEAPU8.indexOf(0, start)))
  },

  // Copies `bytes` to a buffer of C, with a NUL; returns how many there are, or -1 where they are too many.
  $mien_give: function (bytes, buffer, capacity) {
    if (bytes.length >= capacity) return -1
    HEAPU8.set(bytes, buffer)
    HEAPU8[buffer + bytes.length] = 0
    return bytes.length
  },

  $mien_view: function (data, bytes) {
    return new Uint8Array(HEAPU8.buffer, data >>> 0, bytes)
  },

  // ---- Files -----------------------------------------------------------------------------------------------------

  // The bits of `flags` are those of C, which are Linux's; those of Node are the system's.
  mien_node_open__deps: ['$mien_try', '$mien_bytes'],
  mien_node_open: function (path, flags, mode) {
    return mien_try(function (fs) {
      const of = fs.constants
      const bits = {
        0x1: of.O_WRONLY,
        0x2: of.O_RDWR,
        0x40: of.O_CREAT,
        0x80: of.O_EXCL,
        0x100: of.O_NOCTTY,
        0x200: of.O_TRUNC,
        0x400: of.O_APPEND,
        0x800: of.O_NONBLOCK
      }
      let found = of.O_RDONLY
      for (const bit of Object.keys(bits)) if (flags & bit) found |= bits[bit]
      return fs.openSync(mien_bytes(path), found, mode)
    })
  },

  mien_node_close__deps: ['$mien_try'],
  mien_node_close: function (fd) {
    return mien_try(function (fs) {
      fs.closeSync(fd)
      return 0
    })
  },

  // `at`: where in the file, or -1 for where its descriptor stands.
  mien_node_read__deps: ['$mien_try', '$mien_view'],
  mien_node_read: function (fd, data, bytes, at) {
    return mien_try(function (fs) {
      try {
        return fs.readSync(fd, mien_view(data, bytes), 0, bytes, at < 0 ? null : at)
      } catch (error) {
        if (error.code === 'EOF') return 0 // how Windows says it
        throw error
      }
    })
  },

  mien_node_write__deps: ['$mien_try', '$mien_view'],
  mien_node_write: function (fd, data, bytes, at) {
    return mien_try(function (fs) {
      return fs.writeSync(fd, mien_view(data, bytes), 0, bytes, at < 0 ? null : at)
    })
  },

  // `out`: device, inode, mode, size. `path` is NULL for the file of a descriptor.
  mien_node_stat__deps: ['$mien_try', '$mien_bytes'],
  mien_node_stat: function (path, fd, follow, out) {
    return mien_try(function (fs) {
      const exact = { bigint: true }
      const found = !path
        ? fs.fstatSync(fd, exact)
        : follow
          ? fs.statSync(mien_bytes(path), exact)
          : fs.lstatSync(mien_bytes(path), exact)
      new BigUint64Array(HEAPU8.buffer, out >>> 0, 4).set([found.dev, found.ino, found.mode, found.size])
      return 0
    })
  },

  // A line of what Linux tells of a descriptor: "pos", or "flags" in octal; -1 elsewhere. Node has no lseek, no fcntl.
  mien_node_fdinfo__deps: ['$mien_node'],
  mien_node_fdinfo: function (fd, flags) {
    try {
      const text = mien_node.fs.readFileSync('/proc/self/fdinfo/' + fd, 'latin1')
      return flags ? parseInt(/^flags:\s*(\d+)/m.exec(text)[1], 8) : Number(/^pos:\s*(\d+)/m.exec(text)[1])
    } catch (_) {
      return -1
    }
  },

  mien_node_sync__deps: ['$mien_try'],
  mien_node_sync: function (fd) {
    return mien_try(function (fs) {
      fs.fsyncSync(fd)
      return 0
    })
  },

  mien_node_chmod__deps: ['$mien_try'],
  mien_node_chmod: function (fd, mode) {
    return mien_try(function (fs) {
      fs.fchmodSync(fd, mode)
      return 0
    })
  },

  mien_node_rename__deps: ['$mien_try', '$mien_bytes'],
  mien_node_rename: function (from, to) {
    return mien_try(function (fs) {
      fs.renameSync(mien_bytes(from), mien_bytes(to))
      return 0
    })
  },

  mien_node_unlink__deps: ['$mien_try', '$mien_bytes'],
  mien_node_unlink: function (path) {
    return mien_try(function (fs) {
      fs.unlinkSync(mien_bytes(path))
      return 0
    })
  },

  mien_node_realpath__deps: ['$mien_try', '$mien_bytes', '$mien_give'],
  mien_node_realpath: function (path, buffer, capacity) {
    return mien_try(function (fs) {
      return mien_give(fs.realpathSync.native(mien_bytes(path), 'buffer'), buffer, capacity)
    })
  },

  // The names in a folder, for mien_node_next of the same thread. Returns how many.
  mien_node_list__deps: ['$mien_try', '$mien_bytes'],
  mien_node_list: function (path) {
    return mien_try(function (fs) {
      mien_node.listing = fs.readdirSync(mien_bytes(path), 'buffer')
      return mien_node.listing.length
    })
  },

  mien_node_next__deps: ['$mien_node', '$mien_give'],
  mien_node_next: function (index, buffer, capacity) {
    return mien_give(mien_node.listing[index], buffer, capacity)
  },

  // ---- The process -----------------------------------------------------------------------------------------------

  mien_node_getenv__deps: ['$mien_bytes', '$mien_give'],
  mien_node_getenv: function (name, buffer, capacity) {
    const value = process.env[mien_bytes(name)]
    return value === undefined ? -1 : mien_give(Buffer.from(value), buffer, capacity)
  },

  mien_node_getpid: function () {
    return process.pid
  },

  emscripten_num_logical_cores__deps: ['$mien_node'],
  emscripten_num_logical_cores: function () {
    const os = mien_node.os
    return os.availableParallelism ? os.availableParallelism() : os.cpus().length
  },

  mien_node_isatty__deps: ['$mien_node'],
  mien_node_isatty: function (fd) {
    return mien_node.tty.isatty(fd) ? 1 : 0
  },

  // Of stdout, 0 where it is no terminal. A worker's own stdout is none.
  mien_node_columns__proxy: 'sync',
  mien_node_columns: function () {
    return (process.stdout.isTTY && process.stdout.columns) || 0
  },

  // Node's own stdin, once it is asked for, makes a pipe's reads return at once.
  mien_node_unblock_stdin__proxy: 'sync',
  mien_node_unblock_stdin: function () {
    return process.stdin.isTTY ? 1 : 0
  },

  // The first signal calls the handler; one that comes more than half a second later does what it does to a process
  // without one, as cli/common.c has it.
  mien_node_once__proxy: 'sync',
  mien_node_once__deps: ['$mien_node', '$getWasmTableEntry'],
  mien_node_once: function (signal, handler) {
    const signals = mien_node.os.constants.signals
    for (const name of Object.keys(signals)) {
      if (signals[name] !== signal) continue
      let first
      const handle = function () {
        if (first === undefined) {
          first = performance.now()
          getWasmTableEntry(handler)(signal)
        } else if (performance.now() - first > 500) {
          process.removeListener(name, handle)
          process.kill(process.pid, name)
        }
      }
      process.on(name, handle)
      break
    }
  },

  // A file of the npm package mien-FOLDER, which is what FOLDER/FILE is elsewhere.
  mien_node_shipped__proxy: 'sync',
  mien_node_shipped__deps: ['$mien_bytes', '$mien_give'],
  mien_node_shipped: function (name, buffer, capacity) {
    try {
      return mien_give(Buffer.from(require.resolve('mien-' + mien_bytes(name))), buffer, capacity)
    } catch (_) {
      return -1
    }
  }
})
