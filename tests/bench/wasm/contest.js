// SPDX-License-Identifier: Apache-2.0
// The contestants, in a page or in Node: each is made once and embeds texts, on one thread, in WebAssembly. Peers get
// the texts sorted by length, at the batch size that is best for them in this run.
const SIZES = [1, 2, 4, 8, 16, 32]

const chunks = (list, size) =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))

async function mien({ load }, { pack, wasm }) {
  const model = await load(pack, { worker: false, module: wasm })
  return { isa: model.info.isa, embed: (texts) => model.embed(texts), dispose: () => model.dispose() }
}

async function transformersJs({ pipeline, device = 'wasm' }, { name, dtype }) {
  const extract = await pipeline('feature-extraction', name, {
    dtype: dtype === 'int8' ? 'q8' : 'fp32',
    device
  })
  return {
    async embed(texts, batch, pooling) {
      const rows = []
      for (const some of chunks(texts, batch)) {
        const tensor = await extract(some, { pooling, normalize: true })
        const [n, width] = tensor.dims
        for (let i = 0; i < n; i++) rows.push(tensor.data.slice(i * width, (i + 1) * width))
      }
      return rows
    },
    dispose: () => extract.dispose()
  }
}

// The runtime as one who writes their own glue has it; tokens by transformers.js.
async function runtime({ ort, AutoTokenizer, read }, { name, dtype }) {
  const tokenizer = await AutoTokenizer.from_pretrained(name)
  const file = await read(`${name}/onnx/${dtype === 'int8' ? 'model_quantized' : 'model'}.onnx`)
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all'
  })
  return {
    async embed(texts, batch, pooling) {
      const rows = []
      for (const some of chunks(texts, batch)) {
        const tokens = tokenizer(some, { padding: true, truncation: true })
        const feeds = {}
        for (const input of session.inputNames)
          feeds[input] = new ort.Tensor('int64', tokens[input].data, tokens[input].dims)
        const { last_hidden_state: hidden } = await session.run(feeds)
        const [n, length, width] = hidden.dims
        for (let i = 0; i < n; i++) {
          const row = new Float32Array(width)
          for (let t = 0; t < (pooling === 'cls' ? 1 : length); t++) {
            if (!tokens.attention_mask.data[i * length + t]) continue
            const from = (i * length + t) * width
            for (let d = 0; d < width; d++) row[d] += hidden.data[from + d]
          }
          const norm = Math.hypot(...row)
          rows.push(row.map((x) => x / norm))
        }
      }
      return rows
    },
    dispose: () => session.release()
  }
}

const KINDS = { mien, transformersJs, runtime }

async function timed(work) {
  const start = performance.now()
  const result = await work()
  return [(performance.now() - start) / 1000, result]
}

function cosine(a, b) {
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) [ab, aa, bb] = [ab + a[i] * b[i], aa + a[i] * a[i], bb + b[i] * b[i]]
  return ab / Math.sqrt(aa * bb)
}

/**
 * entries: [{ kind, dtype, pooling, … }], the first being what cosines are with; -> entries with `rates` (texts/s, one a
 * round), `batch`, `cosine` (mean) and `isa`.
 */
export async function contest(libraries, entries, texts, rounds, log) {
  const sorted = texts.map((text, i) => ({ text, i })).sort((a, b) => a.text.length - b.text.length)
  const inOrder = sorted.map(({ text }) => text)
  const running = []
  for (const entry of entries) {
    log(`loading ${entry.label}`)
    running.push({ ...entry, rates: [], runner: await KINDS[entry.kind](libraries, entry) })
  }
  for (const one of running) {
    if (one.kind === 'mien') continue
    const some = inOrder.filter((_, i) => i % 4 === 0)
    let best = Infinity
    for (const size of SIZES) {
      await one.runner.embed(some.slice(0, 8), size, one.pooling)
      const [seconds] = await timed(() => one.runner.embed(some, size, one.pooling))
      if (seconds < best) [best, one.batch] = [seconds, size]
    }
    log(`${one.label}: batch ${one.batch}`)
  }
  let reference
  for (let round = 0; round < rounds; round++) {
    for (const one of running) {
      const [seconds, rows] = await timed(() =>
        one.runner.embed(one.kind === 'mien' ? texts : inOrder, one.batch, one.pooling)
      )
      one.rates.push(texts.length / seconds)
      log(`round ${round + 1}: ${one.label}: ${(texts.length / seconds).toFixed(1)} texts/s`)
      if (round) continue
      const byText = one.kind === 'mien' ? rows : sorted.reduce((all, { i }, k) => ((all[i] = rows[k]), all), [])
      reference ??= byText
      one.cosine = byText.reduce((sum, row, i) => sum + cosine(row, reference[i]), 0) / texts.length
    }
  }
  for (const one of running) {
    await one.runner.dispose()
    one.isa = one.runner.isa
    delete one.runner
  }
  return running
}
