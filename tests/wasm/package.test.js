// SPDX-License-Identifier: Apache-2.0
// What index.d.ts promises, of the packed package in Node.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'

import {
  bits,
  flat,
  goemotions,
  MODEL,
  nativeProgram,
  nativeScores,
  PACKAGE,
  PLACE,
  ROOT,
  SMALL_PACK
} from './places.js'

const { load, loadHead, MienError } = await import(pathToFileURL(join(PACKAGE, 'node.js')))

const bytes = new Uint8Array(readFileSync(MODEL)).buffer
const small = new Uint8Array(readFileSync(SMALL_PACK))
const hash = (algorithm, encoding) => createHash(algorithm).update(new Uint8Array(bytes)).digest(encoding)
const TEXT = 'thank you so much!'
const names = (result) => result.labels.map(({ label }) => label)

const fails = (promise, code, message) =>
  assert.rejects(promise, (error) =>
    error instanceof MienError && error.name === 'MienError' && error.code === code && message.test(error.message)
      ? true
      : assert.fail(`expected ${code} ${message}, found ${error?.code} ${error?.stack}`)
  )

// Every path is a way in which a server may answer.
const html = '<!doctype html><title>Sign in</title>'
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 14916952\n`
const model = Buffer.from(bytes)
const answers = {
  '/model': (response) => response.writeHead(200, { 'content-length': model.length }).end(model),
  '/chunked': (response) => response.writeHead(200).end(model),
  '/gzip': (response) => {
    const encoded = gzipSync(model, { level: 1 })
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': encoded.length }).end(encoded)
  },
  '/slow': (response) => response.writeHead(200, { 'content-length': model.length }).write(model.subarray(0, 1e6)),
  '/never': () => {},
  '/cut': (response) => {
    response.writeHead(200, { 'content-length': model.length }).write(model.subarray(0, 1e6))
    setTimeout(() => response.destroy(), 100)
  },
  '/cut-chunked': (response) => {
    response.writeHead(200).write(model.subarray(0, 1e6))
    setTimeout(() => response.destroy(), 100)
  },
  '/error': (response) => response.writeHead(503, 'Service Unavailable').end(html),
  '/html': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(html),
  '/pointer': (response) => response.writeHead(200).end(pointer),
  '/empty': (response) => response.writeHead(200, { 'content-length': 0 }).end(),
  '/mien.wasm': (response) =>
    response.writeHead(200, { 'content-type': 'application/wasm' }).end(readFileSync(join(PACKAGE, 'mien.wasm'))),
  '/untyped.wasm': (response) => response.writeHead(200).end(readFileSync(join(PACKAGE, 'mien.wasm'))),
  '/bad.wasm': (response) => response.writeHead(200, { 'content-type': 'application/wasm' }).end('\0asm????')
}
const server = createServer((request, response) => {
  const answer = answers[request.url]
  if (answer) answer(response)
  else response.writeHead(404, 'Not Found').end(html)
})
let url

let shared
before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${server.address().port}`
  shared = await load(MODEL)
})
after(() => {
  shared.dispose()
  server.closeAllConnections()
  server.close()
})

describe('sources', () => {
  const works = async (source, options) => {
    const loaded = await load(source, options)
    assert.deepEqual(names(await loaded.label(TEXT)), ['gratitude'])
    loaded.dispose()
  }
  test('a path', () => works(MODEL))
  test('a relative path', () => works(MODEL.slice(1).replace(/^/, '../'.repeat(process.cwd().split('/').length - 1))))
  test('a file: URL', () => works(pathToFileURL(MODEL)))
  test('a file: URL as a string', () => works(String(pathToFileURL(MODEL))))
  test('an http: URL', () => works(`${url}/model`))
  test('an http: URL as an object', () => works(new URL(`${url}/model`)))
  test('a Response', async () => works(await fetch(`${url}/model`)))
  test('a Response that was made here', () => works(new Response(bytes)))
  test('an ArrayBuffer, which stays', async () => {
    await works(bytes)
    await works(bytes, { worker: true })
    assert.equal(bytes.byteLength, model.length)
  })
  test('a view of a part of a buffer', async () => {
    const padded = new Uint8Array(bytes.byteLength + 24)
    padded.set(new Uint8Array(bytes), 8)
    await works(padded.subarray(8, 8 + bytes.byteLength))
    await works(new DataView(padded.buffer, 8, bytes.byteLength))
  })
  test('a view of shared memory', async () => {
    const view = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
    view.set(new Uint8Array(bytes))
    await works(view)
  })
  test('a Blob', () => works(new Blob([bytes])))
  test('a File', () => works(new File([bytes], 'model.safetensors')))
  test('a data: URL', async () => {
    const loaded = await load(`data:application/octet-stream;base64,${Buffer.from(small).toString('base64')}`)
    assert.equal(loaded.dim, 16)
  })
  test('nothing: the companion package', () => works())
  test('nothing, where the companion is not installed', async () => {
    const other = await import(pathToFileURL(join(ROOT, 'build/wasm/npm/mien-wasm/node.js')))
    await assert.rejects(other.load(), { code: 'input', message: /mien-goemotions-tiny is not installed: npm install/ })
  })
  test('nothing, where a bundler has moved the files away', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mien-'))
    for (const name of ['mien-wasm', 'mien-goemotions-tiny'])
      await cp(join(PACKAGE, '..', name), join(folder, 'node_modules', name), { recursive: true })
    const moved = join(folder, 'node_modules/mien-goemotions-tiny/model.safetensors')
    const other = await import(pathToFileURL(join(folder, 'node_modules/mien-wasm/node.js')))
    const hint = /; with a bundler, see mien-wasm's README$/
    const wasm = join(folder, 'node_modules/mien-wasm/mien.wasm')
    await rename(wasm, `${wasm}-`)
    await assert.rejects(other.load(small), { code: 'input', message: hint })
    await rename(`${wasm}-`, wasm)
    await writeFile(moved, html)
    await assert.rejects(other.load(), { code: 'integrity', message: hint })
    await rm(moved)
    await assert.rejects(other.load(), { code: 'input', message: hint })
    await rm(folder, { recursive: true })
  })
  test('what is no source', async () => {
    for (const source of [null, 5, true, {}, [], Symbol.iterator])
      await fails(load(source), 'argument', /^model: expected a URL, Response, ArrayBuffer, Blob or path, found /)
  })
})

describe('sources that are not what they should be', () => {
  test('no file, a folder, an empty file', async () => {
    await fails(load('/nowhere/model.safetensors'), 'input', /^\/nowhere\/model\.safetensors: no such file$/)
    await fails(load(PLACE), 'input', /wasm-tests: is a folder$/)
    await fails(load('/dev/null'), 'input', /^\/dev\/null: truncated/)
    await fails(load(''), 'input', /no such file/)
    await fails(load('nul\0'), 'input', /null bytes/)
  })
  test('404 and 503', async () => {
    await fails(load(`${url}/nothing`), 'download', /\/nothing: HTTP 404 Not Found$/)
    await fails(load(`${url}/error`), 'download', /\/error: HTTP 503 Service Unavailable$/)
  })
  test('a server that is not there, an unknown scheme', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address()
    gone.close()
    await fails(load(`http://127.0.0.1:${port}/`), 'download', /cannot be fetched: .*ECONNREFUSED/)
    await fails(load('ftp://127.0.0.1/x'), 'download', /^ftp:.*cannot be fetched/)
  })
  test('a server that closes early', async () => {
    await fails(load(`${url}/cut`), 'download', /\/cut: broke off after 1000000 of 14916952 bytes/)
    await fails(load(`${url}/cut-chunked`), 'download', /\/cut-chunked: broke off after 1000000 of \? bytes/)
  })
  test('a Response of another length than it says', async () => {
    for (const length of ['2', '99999999999999', 'much'])
      await fails(
        load(new Response('x', { headers: { 'content-length': length } })),
        'download',
        /the Response: truncated: expected .* bytes, found 1$/
      )
  })
  test('a Response that was read', async () => {
    const read = new Response(bytes)
    await read.arrayBuffer()
    await fails(load(read), 'argument', /has been read already/)
    const locked = new Response(bytes)
    locked.body.getReader()
    await fails(load(locked), 'argument', /has been read already/)
  })
  test('a web page, a Git LFS pointer, nothing', async () => {
    await fails(load(`${url}/html`), 'input', /\/html: is a web page, not a safetensors file/)
    await fails(load(`${url}/pointer`), 'input', /\/pointer: is a Git LFS pointer, not the weights/)
    await fails(load(`${url}/empty`), 'input', /\/empty: truncated: .*found 0 bytes/)
    await fails(load(`${url}/html`, { worker: true }), 'input', /\/html: is a web page/)
    for (const empty of [new ArrayBuffer(0), new Uint8Array(0)])
      await fails(load(empty), 'input', /^the bytes: truncated/)
    await fails(load(new Blob([])), 'input', /^the Blob: truncated/)
    await fails(load(new File([], 'it.safetensors')), 'input', /^it\.safetensors: truncated/)
    await fails(load(new Response(null)), 'input', /^the Response: truncated/)
    await fails(load(new Response(null, { status: 204 })), 'input', /^the Response: truncated/)
  })
  test('any bytes', async () => {
    let seed = 1
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16
    for (let i = 0; i < 100; i++)
      await fails(load(Uint8Array.from({ length: random() % 4096 }, random)), 'input', /^the bytes: /)
    for (let i = 0; i < 200; i++) {
      const damaged = small.slice(0, i % 2 ? random() % small.length : undefined)
      for (let k = 0; k < 4; k++) damaged[random() % Math.min(damaged.length, 4000)] = random()
      const loaded = await load(damaged).catch((error) => assert.match(error.code, /^(input|argument)$/))
      if (loaded) await loaded.label('a b').catch((error) => assert.ok(error instanceof MienError))
      loaded?.dispose()
    }
  })
})

describe('the module', () => {
  const wasm = readFileSync(join(PACKAGE, 'mien.wasm'))
  const works = async (module) => {
    for (const worker of [false, true]) (await load(small, { module, worker })).dispose()
  }
  test('compiled', async () => works(await WebAssembly.compile(wasm)))
  test('its bytes', async () => {
    await works(wasm)
    await works(new Uint8Array(wasm).buffer)
  })
  test('a path, URLs', async () => {
    await works(join(PACKAGE, 'mien.wasm'))
    await works(pathToFileURL(join(PACKAGE, 'mien.wasm')))
    await works(`${url}/mien.wasm`)
    await works(new URL(`${url}/untyped.wasm`))
  })
  test('what is none', async () => {
    await fails(load(small, { module: `${url}/nothing` }), 'download', /\/nothing: HTTP 404/)
    await fails(load(small, { module: `${url}/html` }), 'download', /\/html: is no WebAssembly: is it beside/)
    await fails(load(small, { module: '/nowhere.wasm' }), 'input', /^\/nowhere\.wasm: no such file/)
    await fails(load(small, { module: new ArrayBuffer(0) }), 'download', /^module: is no WebAssembly/)
    await fails(load(small, { module: `${url}/bad.wasm` }), 'unsupported', /\/bad\.wasm: .*SIMD.*wasm-unsafe-eval/s)
    for (const module of [null, 5, {}, []])
      await fails(load(small, { module }), 'argument', /^module: expected a WebAss/)
  })
  test('another module', async () => {
    const empty = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))
    for (const worker of [false, true]) {
      await fails(load(small, { module: empty, worker }), 'argument', /^module: is not this package's own$/)
      await fails(
        load(small, { module: join(PACKAGE, 'mien-head.wasm'), worker }),
        'argument',
        /is not this package's own/
      )
    }
    await fails(loadHead(small, undefined, { module: wasm }), 'argument', /is not this package's own/)
  })
  test('is fetched once, and again after a failure', async () => {
    let count = 0
    answers['/counted'] = (response) => {
      if (count++) answers['/mien.wasm'](response)
      else response.writeHead(500).end()
    }
    const module = `${url}/counted`
    await fails(load(small, { module }), 'download', /HTTP 500/)
    await Promise.all([load(small, { module }), load(small, { module })])
    await load(small, { module })
    assert.equal(count, 2)
  })
})

describe('progress', () => {
  const progressOf = async (source, options) => {
    const calls = []
    const loaded = await load(source, { ...options, onProgress: (progress) => calls.push(progress) })
    loaded.dispose()
    for (let i = 1; i < calls.length; i++) assert.ok(calls[i].loaded >= calls[i - 1].loaded)
    assert.equal(calls.at(-1).loaded, model.length)
    return calls
  }
  test('with Content-Length', async () => {
    const calls = await progressOf(`${url}/model`)
    assert.ok(calls.length > 2)
    assert.deepEqual(calls[0], { loaded: 0, total: model.length })
    assert.ok(calls.every(({ total }) => total === model.length))
  })
  test('without', async () => {
    const calls = await progressOf(`${url}/chunked`)
    assert.ok(calls.length > 2 && calls.every(({ total }) => total === undefined))
  })
  test('with Content-Encoding', async () => {
    const calls = await progressOf(`${url}/gzip`)
    assert.ok(calls.every(({ total }) => total === undefined))
  })
  test('of a file, a Blob, the companion package', async () => {
    assert.deepEqual(await progressOf(MODEL), [{ loaded: model.length, total: model.length }])
    assert.ok((await progressOf(new Blob([bytes]))).every(({ total }) => total === model.length))
    assert.deepEqual((await progressOf(undefined)).at(-1), { loaded: model.length, total: model.length })
  })
  test('that throws ends loading with its error', async () => {
    for (const source of [`${url}/slow`, MODEL, new Blob([bytes])])
      for (const error of [new TypeError('mine'), new RangeError('mine')])
        await assert.rejects(
          load(source, {
            onProgress() {
              throw error
            }
          }),
          (found) => found === error
        )
  })
})

describe('integrity', () => {
  test('in all forms', async () => {
    for (const integrity of [
      ...['sha256', 'sha384', 'sha512'].flatMap((name) => [
        `${name}-${hash(name, 'base64')}`,
        `${name}-${hash(name, 'base64').replace(/=+$/, '')}`,
        `${name}-${hash(name, 'hex')}`
      ]),
      hash('sha256', 'hex'),
      hash('sha256', 'hex').toUpperCase()
    ])
      for (const source of [bytes, MODEL]) (await load(source, { integrity })).dispose()
  })
  test('of another', async () => {
    const integrity = `sha256-${'0'.repeat(64)}`
    const expected = new RegExp(
      `expected sha256-0{64}, found sha256-${hash('sha256', 'hex')} in 14916952 bytes(; with.*)?$`
    )
    for (const source of [bytes, MODEL, `${url}/model`, new Blob([bytes]), new Response(bytes), undefined])
      await fails(load(source, { integrity }), 'integrity', expected)
    await fails(load(`${url}/html`, { integrity }), 'integrity', /expected sha256-0/)
  })
  test('that is none', async () => {
    await fails(load(bytes, { integrity: '' }), 'argument', /^integrity: expected 'sha256-'/)
    for (const integrity of ['sha256-', 'sha1-', 'sha256-abc', 'md5-00', 5, null, `sha512-${hash('sha256', 'hex')}`])
      await fails(load(bytes, { integrity }), 'integrity', /^the bytes: expected sha/)
  })
  test('is kept in the cache, where there is one', async () => {
    const kept = new Map()
    const opened = []
    globalThis.caches = {
      async open(name) {
        opened.push(name)
        return {
          match: async (key) => kept.get(key)?.clone(),
          put: async (key, response) => void kept.set(key, response)
        }
      }
    }
    try {
      const integrity = hash('sha256', 'hex')
      const calls = []
      const onProgress = (progress) => calls.push(progress)
      ;(await load(`${url}/model`, { integrity, cache: false })).dispose()
      assert.equal(opened.length, 0)
      ;(await load(`${url}/model`, { integrity })).dispose()
      assert.equal(kept.size, 1)
      // Whatever the URL: the hash is what counts.
      ;(await load(`${url}/nothing`, { integrity, onProgress })).dispose()
      assert.deepEqual(calls, [{ loaded: model.length, total: model.length, cached: true }])
      ;(await load(`${url}/model`, { integrity, cache: 'mine' })).dispose()
      assert.equal(opened.at(-1), 'mine')
      kept.set([...kept.keys()][0], new Response('broken'))
      ;(await load(`${url}/model`, { integrity })).dispose()
      await fails(load(`${url}/nothing`, { integrity: `sha256-${'0'.repeat(64)}` }), 'download', /404/)
      globalThis.caches = { open: () => Promise.reject(new Error('SecurityError')) }
      ;(await load(`${url}/model`, { integrity })).dispose()
    } finally {
      delete globalThis.caches
    }
  })
})

describe('cancelling', () => {
  const reason = new Error('enough')
  const isReason = (error) => error === reason
  test('before', async () => {
    const signal = AbortSignal.abort(reason)
    for (const source of [MODEL, bytes, `${url}/model`, new Blob([bytes]), new Response(bytes), undefined])
      await assert.rejects(load(source, { signal }), isReason)
    await assert.rejects(loadHead(bytes, undefined, { signal }), isReason)
    await assert.rejects(shared.label(TEXT, { signal }), isReason)
    await assert.rejects(shared.label([], { signal }), isReason)
    await assert.rejects(shared.embed(TEXT, { signal }), isReason)
    await assert.rejects(shared.labelEmbeddings(new Float32Array(384), { signal }), isReason)
    await assert.rejects(shared.labelStream([TEXT], { signal }).next(), isReason)
  })
  test('while it loads', async () => {
    for (const path of ['/slow', '/never'])
      for (const options of [{}, { worker: true }, { workers: 2 }]) {
        const controller = new AbortController()
        setTimeout(() => controller.abort(reason), 50)
        await assert.rejects(load(url + path, { ...options, signal: controller.signal }), isReason)
      }
    const stuck = new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
    await assert.rejects(load(stuck, { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
    // At whatever moment: its reason, or a model that works.
    for (let i = 0; i < 30; i++) {
      const controller = new AbortController()
      setTimeout(() => controller.abort(reason), 2 * i)
      try {
        const loaded = await load(MODEL, { signal: controller.signal, worker: i % 2 === 1 })
        assert.equal((await loaded.label([TEXT])).length, 1)
        loaded.dispose()
      } catch (error) {
        assert.equal(error, reason)
      }
    }
  })
  test('from onProgress', async () => {
    const controller = new AbortController()
    const onProgress = () => controller.abort(reason)
    for (const source of [`${url}/model`, new Blob([bytes])])
      await assert.rejects(load(source, { signal: controller.signal, onProgress }), isReason)
  })
  test('after', async () => {
    const controller = new AbortController()
    const loaded = await load(small, { signal: controller.signal, worker: true })
    controller.abort(reason)
    assert.equal((await loaded.embed('a')).length, 16)
    loaded.dispose()
  })
  test('a call between its batches; the model goes on', async () => {
    const texts = goemotions(2000)
    const workers = await load(MODEL, { workers: 2 })
    for (const loaded of [shared, workers])
      for (const call of ['label', 'embed']) {
        const start = performance.now()
        await assert.rejects(loaded[call](texts, { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' })
        assert.ok(performance.now() - start < 10000)
        assert.deepEqual(names(await loaded.label(TEXT)), ['gratitude'])
      }
    workers.dispose()
  })
})

describe('dispose', () => {
  test('and use after it', async () => {
    for (const worker of [false, true]) {
      const loaded = await load(small, { worker })
      loaded.dispose()
      loaded.dispose()
      const disposed = [
        loaded.label('a'),
        loaded.label([]),
        loaded.embed('a'),
        loaded.labelEmbeddings(new Float32Array(16)),
        loaded.labelStream(['a']).next()
      ]
      for (const call of disposed) await fails(call, 'disposed', /used after dispose\(\)$/)
      assert.equal(loaded.dim, 16)
    }
  })
  test('during calls', async () => {
    for (const options of [{}, { worker: true }, { workers: 3 }]) {
      const loaded = await load(MODEL, options)
      const calls = [
        loaded.label(goemotions(500)),
        loaded.embed(goemotions(500)),
        loaded.label(TEXT),
        loaded.label(TEXT)
      ]
      const stream = loaded.labelStream(
        (async function* () {
          await new Promise(() => {})
        })()
      )
      calls.push(stream.next())
      setTimeout(() => loaded.dispose(), 20)
      for (const { status, value, reason } of await Promise.allSettled(calls))
        if (status === 'rejected') assert.equal(reason.code, 'disposed')
        else assert.ok(value.labels)
      await fails(loaded.label(TEXT), 'disposed', /dispose/)
    }
  })
  test('of a head', async () => {
    const head = await loadHead(join(ROOT, 'models/heads/all-MiniLM-L6-v2/model.onnx'))
    const call = head.label(new Float32Array(384))
    head.dispose()
    head.dispose()
    await fails(call, 'disposed', /dispose/)
    await fails(head.scores(new Float32Array(384)), 'disposed', /dispose/)
  })
})

describe('texts', () => {
  test('one, many, none', async () => {
    assert.deepEqual(names(await shared.label(TEXT)), ['gratitude'])
    const [first, second] = await shared.label([TEXT, 'I am so angry!'])
    assert.deepEqual([names(first), names(second)], [['gratitude'], ['anger']])
    assert.deepEqual(await shared.label([]), [])
    assert.deepEqual(await shared.embed([]), [])
    assert.equal((await shared.label('')).labels.length, 1)
    assert.equal((await shared.embed('')).length, 384)
  })
  test('what is no text', async () => {
    const expected = /^text: expected a string or an array of strings, found (\w| )+$/
    for (const text of [undefined, null, 5, {}, new Set(['a']), new String('a'), Symbol.iterator]) {
      await fails(shared.label(text), 'argument', expected)
      await fails(shared.embed(text), 'argument', expected)
    }
    await fails(shared.label(['a', 5]), 'argument', /^texts\[1\]: expected a string, found 5$/)
    await fails(shared.label(['a', ['b']]), 'argument', /^texts\[1\]: expected a string, found an array$/)
    await fails(shared.label(['a', , 'b']), 'argument', /^texts\[1\]: expected a string, found undefined$/)
    await fails(shared.embed(new Array(3)), 'argument', /^texts\[0\]: expected a string, found undefined$/)
  })
  test('an array that is changed meanwhile', async () => {
    const texts = goemotions(100)
    const call = shared.label(texts)
    texts.length = 0
    const results = await call
    assert.equal(results.length, 100)
    assert.ok(results.every(({ labels }) => labels))
  })
  test('lone surrogates are as U+FFFD, NUL as itself', async () => {
    const scores = async (text) => bits((await shared.label(text, { allScores: true })).allScores)
    assert.equal(await scores('a \ud800 b'), await scores('a \ufffd b'))
    assert.equal(await scores('\udc00'), await scores('\ufffd'))
    assert.equal(await scores('thanks\0 a lot'), await scores('thanks a lot'))
    assert.notEqual(await scores('thanks\0 a lot'), await scores('thanks'))
    await scores('\0')
    await scores('😂'.repeat(1000))
  })
  test('of 1 MB', async () => {
    const [long, short] = await shared.label(['so good '.repeat(125000), TEXT])
    assert.equal(long.truncated, true)
    assert.equal(short.truncated, undefined)
    assert.deepEqual(names(short), ['gratitude'])
    assert.equal((await shared.label('x'.repeat(1e6))).labels.length > 0, true)
    assert.equal((await shared.label('感'.repeat(350000))).truncated, true)
  })
  test('20,000', async () => {
    const few = await load(SMALL_PACK, { workers: 2 })
    const texts = Array.from({ length: 20000 }, (_, i) => 'abc'[i % 3])
    const results = await few.embed(texts)
    assert.equal(results.length, texts.length)
    const expected = await Promise.all(['a', 'b', 'c'].map((text) => few.embed(text)))
    assert.ok(results.every((row, i) => bits(row) === bits(expected[i % 3])))
    few.dispose()
  })
  test('do not depend on those beside them', async () => {
    const texts = goemotions(100)
    const together = flat(await shared.label(texts, { allScores: true }))
    const alone = []
    for (const text of texts) alone.push(await shared.label(text, { allScores: true }))
    assert.equal(bits(flat(alone)), bits(together))
  })
  test('calls at once', async () => {
    const results = await Promise.all(goemotions(50).map((text) => shared.label(text, { allScores: true })))
    assert.equal(bits(flat(results)), bits(flat(await shared.label(goemotions(50), { allScores: true }))))
  })
})

describe('long texts', () => {
  const THREE = 'Thank you so much for this! 😂😂 This made me really angry today… I love my dog \ud800.'
  let few
  before(async () => {
    few = await load(MODEL, { maxTokens: 16, workers: 2 })
  })
  after(() => few.dispose())
  const bare = ({ labels, allScores }) => ({ labels, allScores })

  test('are labelled span by span', async () => {
    const [{ spans, ...long }, short] = await few.label([THREE, 'thanks'], { long: 'split', allScores: true })
    assert.equal(spans.length > 1, true)
    assert.equal(short.spans, undefined)
    assert.deepEqual(short, await few.label('thanks', { allScores: true }))
    const pieces = spans.map(({ start, end }) => THREE.slice(start, end))
    assert.equal(pieces.join(' '), THREE)
    assert.deepEqual(spans.map(bare), await few.label(pieces, { allScores: true }))
    assert.equal(long.truncated, undefined)
    const highest = long.allScores.map((_, l) => Math.max(...spans.map(({ allScores }) => allScores[l])))
    assert.deepEqual(long.allScores, highest)
    assert.deepEqual(names(long).sort(), [...new Set(spans.flatMap(names))].sort())
    const mean = await few.label(THREE, { long: 'split', pool: 'mean', allScores: true })
    const means = long.allScores.map(
      (_, l) => spans.reduce((sum, { allScores }) => sum + allScores[l], 0) / spans.length
    )
    assert.deepEqual(mean.allScores, means)
    assert.equal((await few.label(THREE)).truncated, true)
    assert.deepEqual(await few.label(THREE, { long: 'truncate' }), await few.label(THREE))
  })
  test('of more spans than are cut at once', async () => {
    const text = 'So good. '.repeat(2000).trim()
    const [{ spans, allScores }, none] = await few.label([text, ''], { long: 'split' })
    assert.equal(allScores, undefined)
    assert.deepEqual(none, await few.label(''))
    assert.equal(spans.length, 2000)
    assert.deepEqual(
      spans.map(({ start, end }) => [start, end]),
      spans.map((_, i) => [9 * i, 9 * i + 8])
    )
    assert.ok(spans.every(({ labels }) => labels[0].label === 'admiration'))
  })
  test('in streams, with options', async () => {
    const found = []
    for await (const result of few.labelStream([THREE, 'thanks'], { long: 'split', topK: 1 })) found.push(result)
    assert.deepEqual(found, await few.label([THREE, 'thanks'], { long: 'split', topK: 1 }))
    assert.ok(found[0].spans.every(({ labels }) => labels.length === 1))
  })
  test('as the native program has them', async (t) => {
    const program = nativeProgram()
    if (!program) return t.skip('no native build')
    const texts = [THREE.replace('\ud800', '\ufffd'), ...goemotions(200)]
    const input = texts.map((text) => `${JSON.stringify({ text })}\n`).join('')
    for (const pool of ['max', 'mean']) {
      const options = ['--long', 'split', '--pool', pool, '--offsets', 'chars', '--max-tokens', '16', '--quiet']
      const inputs = ['--input-format', 'jsonl', '--output-format', 'jsonl']
      const printed = execFileSync(program, ['label', '-', '--model', MODEL, ...inputs, ...options], { input })
      const expected = String(printed).trim().split('\n').map(JSON.parse)
      const found = await few.label(texts, { long: 'split', pool })
      assert.ok(found.filter(({ spans }) => spans).length > 50)
      found.forEach(({ labels, spans }, i) => {
        const characters = (units) => [...texts[i].slice(0, units)].length
        const listed = (all) => ({ labels: all.map(({ label }) => label), scores: all.map(({ score }) => score) })
        const rounded = ({ labels, scores }) => ({ labels, scores: scores.map(Math.fround) })
        assert.deepEqual(listed(labels), rounded(expected[i]))
        assert.deepEqual(
          spans?.map((span) => [characters(span.start), characters(span.end), listed(span.labels)]),
          expected[i].spans?.map((span) => [span.start, span.end, rounded(span)])
        )
      })
    }
  })
  test('wrong options', async () => {
    const label = (options) => shared.label(TEXT, options)
    await fails(label({ long: 'cut' }), 'argument', /^long: expected 'truncate' or 'split', found 'cut'$/)
    await fails(label({ long: '' }), 'argument', /^long: expected 'truncate' or 'split', found ''$/)
    await fails(label({ long: true }), 'argument', /^long: expected 'truncate' or 'split', found boolean$/)
    await fails(label({ long: 'split', pool: 'sum' }), 'argument', /^pool: expected 'max' or 'mean', found 'sum'$/)
    await fails(label({ pool: 'mean' }), 'argument', /^pool: is for long: 'split'$/)
    await fails(label({ long: 'truncate', pool: 'mean' }), 'argument', /^pool: is for long: 'split'$/)
    await fails(shared.label([TEXT, 5], { long: 'split' }), 'argument', /^texts\[1\]: expected a string, found 5$/)
    await fails(label({ long: 'split', topK: 0 }), 'argument', /^topK/)
  })
})

describe('options of load', () => {
  const labels = JSON.parse(readFileSync(join(PACKAGE, '../mien-goemotions-tiny/thresholds.json'), 'utf8'))
  const all = (value) => Object.fromEntries(Object.keys(labels).map((name) => [name, value]))
  test('thresholds in all forms', async () => {
    const json = JSON.stringify(all(1))
    for (const thresholds of [all(1), json, new TextEncoder().encode(json), new TextEncoder().encode(json).buffer]) {
      const loaded = await load(MODEL, { thresholds })
      assert.deepEqual({ ...loaded.thresholds }, all(1))
      assert.deepEqual((await loaded.label(TEXT)).labels, [])
      assert.equal(loaded.info.thresholds_from, 'options')
      loaded.dispose()
    }
  })
  test('wrong thresholds', async () => {
    for (const thresholds of [
      {},
      { joy: 0.5 },
      { ...all(0), other: 0 },
      { ...all(0), joy: 1.5 },
      { ...all(0), joy: '1' },
      '',
      'x',
      '[]',
      new Uint8Array(2)
    ])
      for (const worker of [false, true])
        await assert.rejects(load(MODEL, { thresholds, worker }), (error) => /^(input|argument)$/.test(error.code))
    for (const thresholds of [5, null, true])
      await fails(load(MODEL, { thresholds }), 'argument', /^thresholds: expected/)
  })
  test('maxTokens', async () => {
    const loaded = await load(MODEL, { maxTokens: 3 })
    const [long, short] = await loaded.label(['thank you', 'thank'])
    assert.equal(long.truncated, true)
    assert.equal(short.truncated, undefined)
    assert.deepEqual(long.labels, short.labels)
    loaded.dispose()
    for (const maxTokens of [1, 2, 513, 1e9]) await fails(load(MODEL, { maxTokens }), 'argument', /expected 3 to 512/)
    for (const maxTokens of [-1, 3.5, NaN, '8', null, Infinity])
      await fails(load(MODEL, { maxTokens }), 'argument', /^maxTokens: expected a whole number from 0, found /)
  })
  test('workers', async () => {
    for (const workers of [0, -1, 1.5, '2', null])
      await fails(load(MODEL, { workers }), 'argument', /^workers: expected a whole number from 1, found /)
    await fails(load(MODEL, { workers: 2, worker: false }), 'argument', /^workers: expected 1 without workers, found 2/)
  })
  test('what the model is', () => {
    assert.equal(shared.dim, 384)
    assert.equal(shared.labelNames.length, 28)
    assert.ok(Object.isFrozen(shared.labelNames) && Object.isFrozen(shared.thresholds))
    assert.deepEqual({ ...shared.thresholds }, labels)
    const { isa, dtype, dim, labels: own, thresholds, thresholds_from, link } = shared.info
    assert.match(isa, /^(simd128|relaxed|portable)$/)
    assert.deepEqual(
      [dtype, dim, own, thresholds_from, link],
      ['int8', 384, [...shared.labelNames], 'found', 'sigmoid']
    )
    assert.deepEqual(
      thresholds,
      own.map((label) => labels[label])
    )
  })
})

describe('options of label', () => {
  const scored = async (options) => shared.label('thanks, this made me laugh', { ...options, allScores: true })
  test('allScores', async () => {
    const { allScores } = await scored()
    assert.ok(allScores instanceof Float32Array && allScores.length === 28 && allScores.buffer.byteLength === 112)
    assert.equal((await shared.label(TEXT)).allScores, undefined)
    const [first, second] = await shared.label([TEXT, TEXT], { allScores: true })
    assert.notEqual(first.allScores.buffer, second.allScores.buffer)
  })
  test('thresholds: a label is given where its score is greater', async () => {
    const { allScores } = await scored()
    for (const threshold of [0, 0.01, 0.5, 1]) {
      const { labels } = await scored({ thresholds: threshold })
      const expected = [...allScores]
        .map((score, i) => ({ label: shared.labelNames[i], score }))
        .filter(({ score }) => score > Math.fround(threshold))
      assert.deepEqual(
        labels,
        expected.sort((a, b) => b.score - a.score)
      )
    }
    const score = allScores[shared.labelNames.indexOf('amusement')]
    assert.ok(!names(await scored({ thresholds: { amusement: score } })).includes('amusement'))
    const below = score - 1e-6
    assert.ok(names(await scored({ thresholds: { amusement: below } })).includes('amusement'))
    // The others keep the model's own.
    assert.ok(names(await scored({ thresholds: { amusement: 1 } })).includes('gratitude'))
    assert.deepEqual(await scored({ thresholds: {} }), await scored())
  })
  test('wrong thresholds', async () => {
    for (const thresholds of [-0.1, 1.1, NaN, Infinity])
      await fails(scored({ thresholds }), 'argument', /^thresholds: expected a number in \[0, 1\], found /)
    for (const thresholds of [null, 'x', [], true])
      await fails(scored({ thresholds }), 'argument', /^thresholds: expected a number or an object of labels, found /)
    await fails(scored({ thresholds: { glee: 0.5 } }), 'argument', /'glee' is not one of the model's 28 labels/)
    for (const joy of [2, '0.5', null, undefined, NaN])
      await fails(
        scored({ thresholds: { joy } }),
        'argument',
        /^thresholds: 'joy': expected a number in \[0, 1\], found /
      )
  })
  test('topK', async () => {
    const { allScores } = await scored()
    const order = [...allScores.keys()].sort((a, b) => allScores[b] - allScores[a] || a - b)
    for (const topK of [1, 3, 28, 100]) {
      const { labels } = await scored({ topK, thresholds: 1 })
      assert.deepEqual(
        labels,
        order.slice(0, topK).map((i) => ({ label: shared.labelNames[i], score: allScores[i] }))
      )
    }
    for (const topK of [0, -1, 1.5, NaN, '1'])
      await fails(scored({ topK }), 'argument', /^topK: expected a whole number from 1/)
  })
  test('minLabels: those nearest to their thresholds, as odds', async () => {
    const { allScores } = await scored()
    assert.deepEqual(names(await scored({ minLabels: 1 })), names(await scored()))
    assert.deepEqual((await scored({ thresholds: 1 })).labels, [])
    const top = (await scored({ topK: 3 })).labels
    assert.deepEqual((await scored({ thresholds: 0.999999, minLabels: 3 })).labels, top)
    assert.equal((await scored({ thresholds: 0, minLabels: 28 })).labels.length, 28)
    const joy = allScores[shared.labelNames.indexOf('joy')]
    const all = Object.fromEntries(shared.labelNames.map((name) => [name, 0.999999]))
    assert.deepEqual(names(await scored({ thresholds: { ...all, joy: joy + 1e-6 }, minLabels: 1 })), ['joy'])
    for (const minLabels of [-1, 0.5, NaN, '1', null])
      await fails(scored({ minLabels }), 'argument', /^minLabels: expected a whole number from 0/)
  })
})

test('what few need may be missing: calls go on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mien-'))
  await cp(PACKAGE, join(folder, 'mien-wasm'), { recursive: true })
  await rm(join(folder, 'mien-wasm/relaxed.js'))
  const other = await import(pathToFileURL(join(folder, 'mien-wasm/node.js')))
  const loaded = await other.load(bytes)
  assert.equal((await loaded.label(Array(70).fill('hi'))).length, 70)
  loaded.dispose()
  await rm(folder, { recursive: true })
})

describe('labelStream', () => {
  const collect = async (stream) => {
    const results = []
    for await (const result of stream) results.push(result)
    return results
  }
  test('of arrays, sync and async generators, in order', async () => {
    const texts = goemotions(60)
    const expected = bits(flat(await shared.label(texts, { allScores: true })))
    const workers = await load(MODEL, { workers: 3 })
    const sources = [
      () => texts,
      () => texts.values(),
      function* () {
        yield* texts
      },
      async function* () {
        for (const text of texts) {
          if (Math.random() < 0.02) await delay(1)
          yield text
        }
      }
    ]
    for (const loaded of [shared, workers])
      for (const source of sources)
        for (const batchSize of [undefined, 7])
          assert.equal(
            bits(flat(await collect(loaded.labelStream(source(), { allScores: true, batchSize })))),
            expected
          )
    workers.dispose()
  })
  test('what comes before a value that is no string has its results', async () => {
    for (const batchSize of [1, 64]) {
      const results = []
      const stream = async () => {
        for await (const result of shared.labelStream([TEXT, TEXT, 5, TEXT], { batchSize })) results.push(result)
      }
      await fails(stream(), 'argument', /^texts\[2\]: expected a string, found 5/)
      assert.equal(results.length, 2)
    }
  })
  test('no result after a signal, whose reason comes before an error of the source that is closed', async () => {
    const source = { [Symbol.iterator]: () => ({ next: () => ({ value: TEXT }), return: () => assert.fail('closed') }) }
    const controller = new AbortController()
    let results = 0
    const stream = async () => {
      for await (const _ of shared.labelStream(source, { signal: controller.signal }))
        if (++results === 3) controller.abort(new Error('enough'))
    }
    await assert.rejects(stream(), { message: 'enough' })
    assert.equal(results, 3)
  })
  test('many at once leave nothing behind', async () => {
    const warnings = []
    const listen = (warning) => warnings.push(warning.message)
    process.on('warning', listen)
    await Promise.all(Array.from({ length: 16 }, () => collect(shared.labelStream([TEXT]))))
    await delay(10)
    process.off('warning', listen)
    assert.deepEqual(warnings, [])
  })
  test('of nothing; of what is none', async () => {
    assert.deepEqual(await collect(shared.labelStream([])), [])
    for (const texts of ['a text', 5, null, undefined, {}])
      await fails(shared.labelStream(texts).next(), 'argument', /^texts: expected an iterable of strings/)
    await fails(collect(shared.labelStream([TEXT, 5])), 'argument', /^texts\[1\]: expected a string, found 5/)
    for (const batchSize of [0, -1, 1.5, '2'])
      await fails(shared.labelStream([TEXT], { batchSize }).next(), 'argument', /^batchSize: expected a whole number/)
    await fails(shared.labelStream([TEXT], { topK: 0 }).next(), 'argument', /^topK/)
  })
  test('a live source gets each result before its next text', async () => {
    let answered = 0
    const source = async function* () {
      for (let i = 0; i < 3; i++) {
        yield TEXT
        await delay(400)
        assert.equal(answered, i + 1)
      }
    }
    for await (const result of shared.labelStream(source())) {
      assert.deepEqual(names(result), ['gratitude'])
      answered++
    }
    assert.equal(answered, 3)
  })
  test('an early break calls return(), and does not wait for a source that is waiting', async () => {
    let returned = 0
    const endless = function* () {
      try {
        for (;;) yield TEXT
      } finally {
        returned++
      }
    }
    for await (const _ of shared.labelStream(endless())) break
    assert.equal(returned, 1)
    const waiting = async function* () {
      yield TEXT
      await delay(1e6, undefined, { ref: false })
    }
    const start = performance.now()
    for await (const _ of shared.labelStream(waiting())) break
    assert.ok(performance.now() - start < 1000)
  })
  test('a source that throws: its error, behind the results of what came before', async () => {
    const error = new Error('source')
    let returned = 0
    const throwing = {
      [Symbol.asyncIterator]: () => {
        let left = 10
        return {
          next: async () => {
            if (left-- === 0) throw error
            return { value: TEXT, done: false }
          },
          return: async () => void returned++
        }
      }
    }
    const sync = function* () {
      for (let i = 0; i < 10; i++) yield TEXT
      throw error
    }
    for (const source of [throwing, sync()]) {
      let count = 0
      const reading = (async () => {
        for await (const _ of shared.labelStream(source, { batchSize: 4 })) count++
      })()
      await assert.rejects(reading, (found) => found === error)
      assert.equal(count, 10)
    }
    assert.equal(returned, 0) // as for await: what threw is not asked to return
  })
  test('a source is not read ahead of what is taken', async () => {
    const workers = await load(MODEL, { workers: 3, maxTokens: 8 })
    for (const [loaded, lanes] of [
      [shared, 1],
      [workers, 3]
    ]) {
      let read = 0
      const source = function* () {
        for (;;) {
          read++
          yield 'ok'
        }
      }
      let taken = 0
      for await (const _ of loaded.labelStream(source(), { batchSize: 8 })) {
        if (++taken % 5 === 0) await delay(5)
        assert.ok(read - taken <= 8 * (lanes + 2), `${read} read, ${taken} taken`)
        if (taken === 100) break
      }
    }
    workers.dispose()
  })
  test('is cancelled while its source waits, and by dispose', async () => {
    const source = async function* () {
      yield TEXT
      await delay(1e6, undefined, { ref: false })
    }
    const signal = AbortSignal.timeout(300)
    await assert.rejects(collect(shared.labelStream(source(), { signal })), { name: 'TimeoutError' })
    const loaded = await load(small)
    setTimeout(() => loaded.dispose(), 100)
    await fails(collect(loaded.labelStream(source())), 'disposed', /dispose/)
  })
  test('of many texts does not pile up', async () => {
    const loaded = await load(small)
    const source = function* () {
      for (let i = 0; i < 50000; i++) yield 'a'
    }
    let count = 0
    let start
    const signal = new AbortController().signal
    for await (const _ of loaded.labelStream(source(), { signal })) {
      if (++count === 10000) start = process.memoryUsage.rss()
    }
    assert.equal(count, 50000)
    assert.ok(process.memoryUsage.rss() - start < 100e6)
    loaded.dispose()
  })
})

describe('embeddings', () => {
  test('labels of embeddings are those of their texts', async () => {
    const texts = goemotions(100)
    const expected = await shared.label(texts, { allScores: true })
    const embeddings = await shared.embed(texts)
    const found = await shared.labelEmbeddings(embeddings, { allScores: true })
    assert.deepEqual(
      found,
      expected.map(({ labels, allScores }) => ({ labels, allScores }))
    )
    assert.equal(bits(embeddings[3]), bits(await shared.embed(texts[3])))
    assert.ok(embeddings.every((row) => row instanceof Float32Array && row.buffer.byteLength === 4 * 384))
    const row = embeddings[0]
    for (const one of [row, [...row], Float64Array.from(row)])
      assert.deepEqual(await shared.labelEmbeddings(one, { allScores: true }), found[0])
  })
  test('wrong ones', async () => {
    for (const rows of [undefined, null, 5, 'text', {}])
      await fails(shared.labelEmbeddings(rows), 'argument', /^embeddings: expected a Float32Array or an array of them/)
    await fails(
      shared.labelEmbeddings(new Float32Array(5)),
      'argument',
      /^embeddings\[0\]: expected 384 numbers, found 5/
    )
    await fails(shared.labelEmbeddings([new Float32Array(384), [1]]), 'argument', /^embeddings\[1\]: expected 384 numb/)
    await fails(
      shared.labelEmbeddings([new Float32Array(384), 'x']),
      'argument',
      /^embeddings\[1\]: expected 384 numbers/
    )
    await fails(shared.labelEmbeddings(new Array(2)), 'argument', /^embeddings\[0\]: expected 384 numbers/)
    assert.deepEqual(await shared.labelEmbeddings([]), [])
  })
  test('NaN and infinity are rows with an error', async () => {
    const rows = [NaN, Infinity, 0].map((value) => new Float32Array(384).fill(value, 5, 6))
    const [nan, infinity, zero] = await shared.labelEmbeddings(rows, { minLabels: 1 })
    assert.deepEqual(nan, { labels: [], error: 'NaN or infinity in the embedding' })
    assert.deepEqual(infinity, nan)
    assert.equal(zero.labels.length, 1)
  })
})

describe('loadHead', () => {
  const npy = (file) => {
    const raw = readFileSync(file)
    return new Float32Array(new Uint8Array(raw.subarray(10 + raw.readUInt16LE(8))).buffer)
  }
  const f32 = (file) => new Float32Array(new Uint8Array(readFileSync(file)).buffer)
  const folder = join(ROOT, 'models/heads/all-MiniLM-L6-v2')
  const near = (found, expected, tolerance) => {
    assert.equal(found.length, expected.length)
    found.forEach((score, i) => assert.ok(Math.abs(score - expected[i]) <= tolerance, `${i}: ${score}, ${expected[i]}`))
  }
  test("a head of the repository: ONNX Runtime's scores", async () => {
    const data = join(ROOT, 'tests/data/heads/all-MiniLM-L6-v2')
    const rows = npy(join(data, 'test.embeddings.npy'))
    const expected = f32(join(data, 'test256.scores.f32'))
    const thresholds = readFileSync(join(folder, 'thresholds.json'), 'utf8')
    const head = await loadHead(join(folder, 'model.onnx'), thresholds)
    assert.equal(head.dim, 384)
    assert.deepEqual({ ...head.thresholds }, JSON.parse(thresholds))
    const scores = await head.scores(rows)
    assert.equal(scores.length, (rows.length / 384) * 28)
    // In the order of labels.txt.
    const order = readFileSync(join(ROOT, 'models/goemotions/labels.txt'), 'utf8').trim().split('\n')
    near(
      expected.map((_, i) => scores[Math.floor(i / 28) * 28 + head.labelNames.indexOf(order[i % 28])]),
      expected,
      1e-5
    )
    const one = rows.slice(0, 384)
    const result = await head.label(one, { allScores: true })
    assert.deepEqual(await head.label([one, [...one]], { allScores: true }), [result, result])
    assert.equal(bits(result.allScores), bits(scores.slice(0, 28)))
    one[7] = NaN
    assert.ok((await head.scores(one)).every(Number.isNaN))
    assert.match((await head.label(one)).error, /NaN/)
    await fails(head.scores(new Float32Array(5)), 'argument', /^embeddings: expected rows of 384 numbers, found 5/)
    await fails(head.scores([1]), 'argument', /^embeddings: expected a Float32Array, found an array/)
    assert.equal((await head.scores(new Float32Array(0))).length, 0)
    head.dispose()
  })
  test('other exports', async () => {
    const place = join(ROOT, 'tests/data/onnx/seed_like')
    const rows = f32(join(place, 'X.f32'))
    for (const name of ['A_linclass_norm', 'C_onegemm_split_slice_gather', 'G_float16_raw']) {
      const head = await loadHead(new Uint8Array(readFileSync(join(place, `${name}.onnx`))))
      // 28 outputs of 16 rows of two columns.
      const expected = f32(join(place, `${name}.expected.f32`))
      const scores = await head.scores(rows)
      near(
        scores,
        scores.map((_, i) => expected[2 * ((i % 28) * 16 + Math.floor(i / 28)) + 1]),
        1e-5
      )
      head.dispose()
    }
  })
  test('what is none', async () => {
    const bad = join(ROOT, 'tests/data/onnx/bad')
    for (const name of ['html', 'lfs_pointer', 'empty', 'truncated_179', 'cycle', 'gather_bomb', 'weight_nan'])
      await assert.rejects(loadHead(join(bad, `${name}.onnx`)), { name: 'MienError', code: 'input' })
    await fails(loadHead(`${url}/nothing`), 'download', /404/)
    await fails(loadHead(), 'argument', /^model: expected/)
    await fails(loadHead(join(folder, 'model.onnx'), { joy: 1 }), 'input', /label/)
    await fails(
      loadHead(join(folder, 'model.onnx'), undefined, { integrity: '0'.repeat(64) }),
      'integrity',
      /expected sha256-0/
    )
  })
})

test("int8 scores are the native build's, to the bit, with 1 and 3 workers", async (t) => {
  const program = nativeProgram()
  if (!program) return t.skip('no build/*/mien: the native program is not built')
  const texts = goemotions(300)
  const expected = bits(nativeScores(program, MODEL, texts))
  for (const workers of [1, 3]) {
    const loaded = await load(MODEL, { worker: true, workers })
    assert.equal(bits(flat(await loaded.label(texts, { allScores: true }))), expected)
    loaded.dispose()
  }
})

test('the edge entry, with a compiled module', async () => {
  const edge = await import(pathToFileURL(join(PACKAGE, 'edge.js')))
  const module = await WebAssembly.compile(readFileSync(join(PACKAGE, 'mien.wasm')))
  for (const source of [bytes, new Response(bytes), `${url}/model`]) {
    const loaded = await edge.load(source, { module })
    assert.deepEqual(names(await loaded.label(TEXT)), ['gratitude'])
    loaded.dispose()
  }
  await assert.rejects(edge.load(bytes), {
    code: 'argument',
    message: /^module: expected a WebAssembly.Module of mien-wasm\/mien\.wasm, found nothing$/
  })
  await assert.rejects(edge.load(undefined, { module }), { code: 'argument', message: /has no default/ })
  await assert.rejects(edge.load(bytes, { module, workers: 2 }), { code: 'argument' })
  const headModule = await WebAssembly.compile(readFileSync(join(PACKAGE, 'mien-head.wasm')))
  const onnx = new Uint8Array(readFileSync(join(ROOT, 'models/heads/all-MiniLM-L6-v2/model.onnx')))
  const head = await edge.loadHead(onnx, undefined, { module: headModule })
  assert.equal((await head.label(new Float32Array(384), { topK: 2 })).labels.length, 2)
})

test('a process ends by itself after use with workers', async () => {
  const script = `
    import { load } from 'mien-wasm'
    const model = await load(undefined, { workers: 2 })
    console.log((await model.label(['${TEXT}']))[0].labels[0].label)`
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: PLACE,
    timeout: 30000
  })
  assert.equal((await run).stdout, 'gratitude\n')
})

test("the README's example prints what it says", async () => {
  const [, example] = /```js\n(.*?)```/s.exec(readFileSync(join(PACKAGE, 'README.md'), 'utf8'))
  const script = `const linesOfAChat = []\n${example}`
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: PLACE })
  const said = example.match(/^\/\/ .*\n/gm).map((line) => line.slice(3))
  assert.equal((await run).stdout, said.join(''))
})

test('memory stays as it is over loads and disposes', async () => {
  const script = `
    import { readFileSync } from 'node:fs'
    import { load } from 'mien-wasm'
    const rounds = async (n, bytes, options) => {
      for (let i = 0; i < n; i++) {
        const model = await load(bytes, options)
        await model.label('a')
        model.dispose()
      }
      for (let i = 0; i < 3; i++) {
        globalThis.gc()
        await new Promise((resolve) => setTimeout(resolve, 50)) // memory is unmapped behind the collector's back
      }
      return process.memoryUsage.rss()
    }
    for (const [file, n, options] of [
      [${JSON.stringify(SMALL_PACK)}, 1000, {}],
      [${JSON.stringify(MODEL)}, 100, {}],
      [${JSON.stringify(SMALL_PACK)}, 50, { worker: true }]
    ]) {
      const bytes = readFileSync(file)
      const before = await rounds(n / 5, bytes, options)
      const after = await rounds(n, bytes, options)
      console.log(JSON.stringify({ n, ...options, before, after }))
    }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    cwd: PLACE
  })
  for (const line of stdout.trim().split('\n')) {
    const { before, after } = JSON.parse(line)
    assert.ok(after - before < 50e6, `grew by more than 50 MB: ${line}`)
  }
})
