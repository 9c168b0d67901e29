#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The command `mien`: its scripts are CommonJS, in a folder of their own.
import { createRequire } from 'node:module'

createRequire(import.meta.url)('./command/mien-command.js')
