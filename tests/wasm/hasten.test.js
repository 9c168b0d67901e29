// SPDX-License-Identifier: Apache-2.0
// Going over from the baseline module to the one of relaxed SIMD and back, wherever this runs: what decides it, the
// engine's arithmetic and the clock, is pretended. MODULES names the folder with the modules.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'

import { Engine } from '../../wasm/npm/engine.js'
import { hasExactDot } from '../../wasm/npm/relaxed.js'
import { Runner } from '../../wasm/npm/runner.js'

const modules = process.env.MODULES ?? 'build/wasm/wasm'
const bytesOf = (name) => readFileSync(join(modules, name))
const baseline = new WebAssembly.Module(bytesOf('mien.wasm'))
const isRelaxed = WebAssembly.validate(bytesOf('mien-relaxed.wasm'))
const pack = readFileSync(new URL('../../models/goemotions-tiny/model.safetensors', import.meta.url))
const request = { texts: ['hello', 'thank you so much!'], columns: 28, embed: false }

const real = Object.getOwnPropertyDescriptors(Engine.prototype)
const pretend = (name, descriptor) => Object.defineProperty(Engine.prototype, name, descriptor)
const pretendTimes = (...times) => pretend('trial', { value: () => times.shift() })
const restore = () => Object.defineProperties(Engine.prototype, { trial: real.trial, isExact: real.isExact })

let runner
let expected
beforeEach(() => {
  restore()
  runner = new Runner()
  runner.open({ module: baseline, bytes: new Uint8Array(pack).buffer, maxTokens: 0 })
  expected = runner.texts(request)
})
after(restore)

test('a faster module takes over, with the same scores', () => {
  pretendTimes(1, 2)
  runner.hasten({ module: baseline })
  assert.deepEqual(runner.texts(request), expected)
})

test('one that is no faster, or not exact, does not', { skip: !isRelaxed && 'no relaxed SIMD here' }, () => {
  const module = new WebAssembly.Module(bytesOf('mien-relaxed.wasm'))
  pretendTimes(2, 2)
  assert.equal(runner.hasten({ module }).isa, 'simd128')
  pretend('isExact', { get: () => false })
  pretendTimes(1, 2)
  assert.equal(runner.hasten({ module }).isa, 'simd128')
})

test('whatever the engine makes of it, scores are the same', { skip: !isRelaxed && 'no relaxed SIMD here' }, () => {
  const module = new WebAssembly.Module(bytesOf('mien-relaxed.wasm'))
  pretend('isExact', { get: () => true }) // where it is not, the module says so when it is asked for scores
  pretendTimes(1, 2)
  assert.equal(runner.hasten({ module }).isa, 'relaxed')
  assert.deepEqual(runner.texts(request), expected)
  assert.deepEqual(runner.texts(request), expected)
})

test('the probe and the module agree', { skip: !isRelaxed && 'no relaxed SIMD here' }, () => {
  const engine = new Engine(new WebAssembly.Module(bytesOf('mien-relaxed.wasm')))
  assert.equal(hasExactDot(), engine.isExact)
})
