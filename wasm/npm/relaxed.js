// SPDX-License-Identifier: Apache-2.0
// Whether this engine's relaxed dot product of bytes may serve: asked of a module of 52 bytes, before the one that
// uses it is fetched. relaxed.c of wasm/ says what there is to know of it.

// (module (func (export "d") (param i32 i32) (result i32)
//   (i32x4.extract_lane 0 (i32x4.relaxed_dot_i8x16_i7x16_add_s
//     (i8x16.splat (local.get 0)) (i8x16.splat (local.get 1)) (i32x4.splat (i32.const 0))))))
const PROBE =
  '0061736d010000000107' + // magic, version; types:
  '0160027f7f017f' + // (i32, i32) -> i32
  '03020100' + // functions
  '07050101640000' + // exports
  '0a1601140020' + // code
  '00fd0f2001fd0f4100fd11fd9302fd1b000b'

export function hasExactDot() {
  try {
    const bytes = Uint8Array.from(PROBE.match(/../g), (byte) => parseInt(byte, 16))
    if (!WebAssembly.validate(bytes)) return false
    const { d } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
    // 4 · 127 · 255 where the second side has no sign, 4 · 127 · -1 where it has; less where sums saturate.
    return d(127, 127) === 64516 && [129540, -508].includes(d(127, 255)) && [-129540, 508].includes(d(-127, 255))
  } catch {
    return false
  }
}

/** A model goes over to the module of relaxed SIMD where that is faster. Scores stay what they are, bit for bit. */
export async function hasten(model, compile) {
  if (model.info.dtype !== 'int8' || !hasExactDot()) return
  const module = await compile()
  await model.onEveryLane(async (lane) => (model.info = await lane.run('hasten', { module })))
}
