// SPDX-License-Identifier: Apache-2.0
// Where things are: what install.sh made, models, texts, and the native program where one is built.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PLACE = join(ROOT, 'build/wasm-tests')
export const INSTALLED = join(PLACE, 'node_modules')
export const PACKAGE = join(INSTALLED, 'mien-wasm')
export const MODEL = join(INSTALLED, 'mien-goemotions-tiny/model.safetensors')
export const SMALL_PACK = join(ROOT, 'tests/data/pack/int8.safetensors')

/** The first texts of GoEmotions' test split. */
export const goemotions = (n) =>
  readFileSync(join(ROOT, 'models/goemotions/test.tsv'), 'utf8')
    .split('\n', n)
    .map((line) => line.split('\t')[0])

/** The newest build/…/mien, or undefined. */
export function nativeProgram() {
  const time = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs
  return readdirSync(join(ROOT, 'build'))
    .map((name) => join(ROOT, 'build', name, 'mien'))
    .filter((file) => time(file) && statSync(file).isFile())
    .sort((a, b) => time(b) - time(a))[0]
}

/** Scores of texts by the native program, float32 [n × labels], one row after the other. */
export function nativeScores(program, model, texts) {
  const folder = mkdtempSync(join(tmpdir(), 'mien-'))
  try {
    const file = join(folder, 'scores.npy')
    const input = texts.map((text) => `${JSON.stringify({ text })}\n`).join('')
    const options = ['--quiet', '--input-format', 'jsonl', '--output-format', 'npy', '-o', file]
    execFileSync(program, ['label', '-', '--model', model, ...options], { input })
    const bytes = readFileSync(file)
    return new Float32Array(new Uint8Array(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Results with allScores -> the same, as native scores are. */
export const flat = (results) => Float32Array.from(results.flatMap(({ allScores }) => [...allScores]))

/** The bits of float32, to compare. */
export const bits = (scores) => Buffer.from(scores.buffer, scores.byteOffset, scores.byteLength).toString('hex')
