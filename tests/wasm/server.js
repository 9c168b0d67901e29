// SPDX-License-Identifier: Apache-2.0
// A static server on a free port: { '/prefix': folder }, and headers for everything. What a page posts to /result
// comes out of `result()`.
import { once } from 'node:events'
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { text } from 'node:stream/consumers'

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm'
}

export async function serve(folders, headers = {}) {
  let waiting
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://x')
    if (request.method === 'POST') {
      waiting?.(await text(request))
      return response.end()
    }
    const prefix = Object.keys(folders).find((prefix) => pathname.startsWith(`${prefix}/`))
    const file = prefix === undefined ? '' : join(folders[prefix], pathname.slice(prefix.length))
    const info = statSync(file, { throwIfNoEntry: false })
    if (!info?.isFile()) return response.writeHead(404).end()
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-length': info.size, ...headers })
    createReadStream(file).pipe(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    result: () => new Promise((resolve) => (waiting = resolve)),
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}
