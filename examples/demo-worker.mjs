// The worker: gets refs, opens the vectors behind them, and posts the figures back.
import { parentPort, workerData } from 'node:worker_threads'
import { openRef } from 'rfmalloc'
import { figures } from './figures.mjs'

const started = performance.now()
const delay = openRef(workerData.delay, { readOnly: true })
const usual = openRef(workerData.usual, { readOnly: true })
const result = { delay: figures(delay), usualDelay: figures(usual) }
parentPort.postMessage({ figures: result, ms: performance.now() - started })
