// The worker: gets a ref, opens the frame behind it, and posts the figures back.
import { parentPort, workerData } from 'node:worker_threads'
import { openRef } from 'rfmalloc'
import { figures } from './figures.mjs'

const started = performance.now()
const { delay, usualDelay } = openRef(workerData, { readOnly: true }).columns
const result = { delay: figures(delay), usualDelay: figures(usualDelay) }
parentPort.postMessage({ figures: result, ms: performance.now() - started })
