// A worker thread that does what it is told, one message at a time: { source, args } in, { value } or { code, message } out. What a
// function returns into `keep` stays alive between messages.

import { parentPort } from 'node:worker_threads'
import * as fm from '../../dist/index.js'
import { collect } from './waiting.mjs'

const keep = {}

parentPort.on('message', async ({ source, args }) => {
  try {
    const value = await (0, eval)(`(${source})`)({ fm, args, keep, collect })
    parentPort.postMessage({ value })
  } catch (error) {
    parentPort.postMessage({ code: error?.code ?? error?.name, message: error?.message ?? String(error) })
  }
})
