// SPDX-License-Identifier: Apache-2.0
// The worker of browsers.
import { serve } from './runner.js'

const receive = serve((message, transfer) => postMessage(message, transfer))
addEventListener('message', (event) => receive(event.data))
