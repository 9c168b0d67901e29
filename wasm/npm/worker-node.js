// SPDX-License-Identifier: Apache-2.0
// The worker of Node.
import { parentPort } from 'node:worker_threads'

import { serve } from './runner.js'

const receive = serve((message, transfer) => parentPort.postMessage(message, transfer))
parentPort.on('message', receive)
