// SPDX-License-Identifier: Apache-2.0
// Serves a folder on this machine as a static host does, for looking at the page: node web/serve.mjs FOLDER [PORT].
// The security policy is the page's own, as a header for its workers too.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.csv': 'text/csv; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.safetensors': 'application/octet-stream'
}
const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; form-action 'none'"

async function answer(folder, prefix, request, response) {
  const end = (status, headers = {}) => response.writeHead(status, headers).end()
  if (request.method !== 'GET' && request.method !== 'HEAD') return end(405)
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
  if (!path.startsWith(prefix)) return end(404)
  const inside = normalize(path.slice(prefix.length) || 'index.html')
  const file = join(folder, inside.endsWith(sep) ? join(inside, 'index.html') : inside)
  const found = inside.startsWith('..') ? undefined : await stat(file).catch(() => undefined)
  if (!found?.isFile()) return end(404)
  const etag = `"${found.size.toString(36)}-${found.mtimeMs.toString(36)}"`
  const headers = {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
    etag
  }
  if (request.headers['if-none-match'] === etag) return end(304, headers)
  response.writeHead(200, { ...headers, 'content-length': found.size })
  if (request.method === 'HEAD') return response.end()
  createReadStream(file)
    .on('error', () => response.destroy())
    .pipe(response)
}

/** A server of a folder under a path as '/' or '/some/where/'; listens on localhost alone. */
export async function serve(folder, { port = 0, prefix = '/' } = {}) {
  const server = createServer((request, response) =>
    answer(folder, prefix, request, response).catch(() => response.writeHead(400).end())
  )
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return { url: `http://localhost:${server.address().port}${prefix}`, close: () => server.close() }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, port = '8000'] = process.argv.slice(2)
  try {
    console.log(`the page is on ${(await serve(folder, { port: Number(port) })).url}`)
  } catch (error) {
    console.error(
      error.code === 'EADDRINUSE' ? `port ${port} is taken: web/serve.sh PORT takes another` : error.message
    )
    process.exitCode = 1
  }
}
