// SPDX-License-Identifier: Apache-2.0
// The libraries in a page, each loaded when it is asked for; one thread each.
const PEERS = '/peers'

export async function transformersJs() {
  const { env, pipeline, AutoTokenizer } = await import(
    `${PEERS}/@huggingface/transformers/dist/transformers.web.min.js`
  )
  env.allowRemoteModels = false
  env.allowLocalModels = true
  env.localModelPath = '/models/'
  env.backends.onnx.wasm.numThreads = 1
  env.backends.onnx.wasm.wasmPaths = `${PEERS}/@huggingface/transformers/node_modules/onnxruntime-web/dist/`
  return { pipeline, AutoTokenizer }
}

export async function runtime() {
  const ort = await import(`${PEERS}/onnxruntime-web/dist/ort.wasm.min.mjs`)
  ort.env.wasm.numThreads = 1
  ort.env.wasm.wasmPaths = `${PEERS}/onnxruntime-web/dist/`
  const read = async (path) => new Uint8Array(await (await fetch(`/models/${path}`)).arrayBuffer())
  return { ort, read }
}

export const mien = () => import('/mien/mien-wasm/index.js')
