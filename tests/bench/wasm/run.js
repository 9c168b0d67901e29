// SPDX-License-Identifier: Apache-2.0
// mien-wasm beside transformers.js and onnxruntime-web in Chromium and in Node, as tables:
//   node run.js --texts N --rounds N --only chromium|node|sizes
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'

import { contest } from './contest.js'
import { serve } from '../../wasm/server.js'

const HERE = dirname(fileURLToPath(import.meta.url))
const ROOT = join(HERE, '../../..')
const BUILD = process.env.MIEN_BENCH_WASM ?? join(ROOT, 'build/bench-wasm')
const PEERS = join(BUILD, 'node_modules')
const NPM = join(ROOT, 'build/wasm/npm')

const { values: options } = parseArgs({
  options: {
    texts: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    encoder: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' }
  }
})
const log = (line) => process.stderr.write(`${line}\n`)

const lines = readFileSync(join(ROOT, 'models/goemotions/test.tsv'), 'utf8').trimEnd().split('\n')
const texts = lines.slice(0, Number(options.texts)).map((line) => line.split('\t')[0])

const ENCODERS = [
  { name: 'all-MiniLM-L6-v2', layers: 6, pooling: 'mean' },
  { name: 'bge-small-en-v1.5', layers: 12, pooling: 'cls' }
].filter(({ name }) => !options.encoder || name === options.encoder)

const entriesOf = ({ name, pooling }, place) => {
  const ours = (dtype) => ({
    kind: 'mien',
    label: `mien-wasm, ${dtype}`,
    dtype,
    pooling,
    pack: `${place}/packs/${name}-${dtype}.safetensors`
  })
  const peer = (kind, label) => (dtype) => ({
    kind,
    label: `${label}, ${dtype === 'int8' ? 'q8' : 'f32'}`,
    dtype,
    pooling,
    name
  })
  const theirs = [peer('transformersJs', 'transformers.js'), peer('runtime', 'onnxruntime-web')]
  return ['f32', 'int8'].flatMap((dtype) => [ours(dtype), ...theirs.map((of) => of(dtype))])
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
const spread = (values, digits = 2) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`

function print(title, results) {
  console.log(
    `\n| ${title} | texts/s | mien-wasm in the same precision, times as fast | cosine with mien-wasm, f32 | batch |\n|---|---|---|---|---|`
  )
  for (const { label, kind, dtype, rates, cosine, batch, isa } of results) {
    const ours = results.find((one) => one.kind === 'mien' && one.dtype === dtype)
    const ratio = kind === 'mien' ? '' : spread(ours.rates.map((rate, i) => rate / rates[i]))
    console.log(
      `| ${label}${isa ? ` (${isa})` : ''} | ${spread(rates, 1)} | ${ratio} | ${cosine.toFixed(5)} | ${batch ?? ''} |`
    )
  }
}

async function inNode() {
  const { load } = await import(pathToFileURL(join(NPM, 'mien-wasm/node.js')))
  const ort = await import(pathToFileURL(join(PEERS, 'onnxruntime-web/dist/ort.node.min.mjs')))
  ort.env.wasm.numThreads = 1
  ort.env.wasm.wasmPaths = `${pathToFileURL(join(PEERS, 'onnxruntime-web/dist'))}/`
  // transformers.js takes onnxruntime-node in Node, which is no WebAssembly, unless it is given a runtime.
  globalThis[Symbol.for('onnxruntime')] = ort
  const { env, pipeline, AutoTokenizer } = await import(
    pathToFileURL(join(PEERS, '@huggingface/transformers/dist/transformers.node.mjs'))
  )
  env.allowRemoteModels = false
  env.allowLocalModels = true
  env.localModelPath = join(BUILD, 'models/')
  const read = async (path) => readFileSync(join(BUILD, 'models', path))
  for (const encoder of ENCODERS) {
    const results = await contest(
      { load, pipeline, device: 'auto', AutoTokenizer, ort, read },
      entriesOf(encoder, BUILD),
      texts,
      Number(options.rounds),
      log
    )
    print(`${encoder.name}, ${encoder.layers} layers, Node ${process.versions.node}`, results)
  }
}

// Milliseconds from a page's start to its first result, the files being in the browser's caches.
async function firstLabel(context, url, script, argument) {
  const times = []
  for (let i = 0; i < 6; i++) {
    const page = await context.newPage()
    await page.goto(`${url}/bench/page.html`)
    times.push(await page.evaluate(script, argument))
    await page.close()
  }
  return times.slice(1)
}

async function inChromium() {
  const { chromium } = await import(pathToFileURL(join(PEERS, 'playwright-core/index.mjs')))
  const server = await serve(
    {
      '/bench': HERE,
      '/peers': PEERS,
      '/mien': NPM,
      '/models': join(BUILD, 'models'),
      '/packs': join(BUILD, 'packs')
    },
    { 'cache-control': 'max-age=3600' }
  )
  const browser = await chromium.launch({ executablePath: options.chromium, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    page.on('console', (message) => log(message.text()))
    await page.goto(`${server.url}/bench/page.html`)
    for (const encoder of ENCODERS) {
      await page.reload()
      const results = await page.evaluate(
        async ([entries, texts, rounds]) => {
          const { contest } = await import('/bench/contest.js')
          const peers = await import('/bench/peers.js')
          const libraries = { ...(await peers.mien()), ...(await peers.transformersJs()), ...(await peers.runtime()) }
          return contest(libraries, entries, texts, rounds, (line) => console.log(line))
        },
        [entriesOf(encoder, ''), texts, Number(options.rounds)]
      )
      print(`${encoder.name}, ${encoder.layers} layers, Chromium ${browser.version()}`, results)
    }
    await page.close()
    const context = await browser.newContext()
    const integrity = `sha256-${createHash('sha256')
      .update(readFileSync(join(BUILD, 'packs/all-MiniLM-L6-v2-int8.safetensors')))
      .digest('base64')}`
    const ours = await firstLabel(
      context,
      server.url,
      async (integrity) => {
        const { load } = await import('/mien/mien-wasm/index.js')
        const model = await load('/packs/all-MiniLM-L6-v2-int8.safetensors', { integrity })
        await model.label('thank you so much!')
        return performance.now()
      },
      integrity
    )
    const theirs = await firstLabel(context, server.url, async () => {
      const { transformersJs } = await import('/bench/peers.js')
      const { pipeline } = await transformersJs()
      const extract = await pipeline('feature-extraction', 'all-MiniLM-L6-v2', { dtype: 'q8', device: 'wasm' })
      await extract('thank you so much!', { pooling: 'mean', normalize: true })
      return performance.now()
    })
    console.log("\n| from a page's start to its first result, model in cache, all-MiniLM-L6-v2, int8 | ms |\n|---|---|")
    console.log(`| mien-wasm, in its worker, to labels | ${spread(ours, 0)} |`)
    console.log(`| transformers.js, to an embedding | ${spread(theirs, 0)} |`)
    console.log(`| times as long | ${spread(theirs.map((ms, i) => ms / ours[i]))} |`)
  } finally {
    await browser.close()
    server.close()
  }
}

function sizes() {
  const total = (files) =>
    files
      .map((file) => readFileSync(file))
      .reduce(([all, gzipped], bytes) => [all + bytes.length, gzipped + gzipSync(bytes).length], [0, 0])
  // As they are published, not minified, all that a page without loadHead may load.
  const scripts = [
    'index',
    'model',
    'base',
    'lane',
    'labels',
    'obtain',
    'compile',
    'errors',
    'worker',
    'runner',
    'engine'
  ]
  const web = [...[...scripts, 'stream', 'relaxed'].map((name) => `${name}.js`), 'mien.wasm']
  const own = join(PEERS, '@huggingface/transformers/node_modules/onnxruntime-web/dist')
  const rows = [
    ['mien-wasm', web.map((name) => join(NPM, 'mien-wasm', name))],
    [
      'onnxruntime-web, its wasm build',
      ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map((name) =>
        join(PEERS, 'onnxruntime-web/dist', name)
      )
    ],
    [
      'transformers.js',
      [
        join(PEERS, '@huggingface/transformers/dist/transformers.web.min.js'),
        ...['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'].map(
          (name) => join(own, name)
        )
      ]
    ]
  ].map(([name, files]) => [name, ...total(files)])
  console.log(
    "\n| scripts and WebAssembly of a page, without models | kB | gzipped | times mien-wasm's |\n|---|---|---|---|"
  )
  for (const [name, bytes, gzipped] of rows)
    console.log(
      `| ${name} | ${(bytes / 1000).toFixed(0)} | ${(gzipped / 1000).toFixed(0)} | ${(bytes / rows[0][1]).toFixed(0)} |`
    )
}

console.log(
  `${cpus()[0].model}, ${cpus().length} CPUs; ${texts.length} GoEmotions texts, ${options.rounds} rounds, one thread each`
)
const wants = (what) => !options.only || options.only === what
if (wants('chromium')) await inChromium()
if (wants('node')) await inNode()
if (wants('sizes')) sizes()
