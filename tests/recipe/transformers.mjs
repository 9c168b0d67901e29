// SPDX-License-Identifier: Apache-2.0
// Scores of texts by transformers.js: node transformers.mjs FOLDER TEXTS.txt SCORES.json, where FOLDER holds config.json,
// tokenizer.json and onnx/model.onnx.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { env, pipeline } from '@huggingface/transformers'

const [folder, texts, scores] = process.argv.slice(2)
env.allowRemoteModels = false
env.localModelPath = dirname(folder)
const classify = await pipeline('text-classification', basename(folder))
const rows = await classify(readFileSync(texts, 'utf8').trimEnd().split('\n'), { top_k: null })
writeFileSync(scores, JSON.stringify(rows))
