// Three million flights become named vectors in one file; then another process and a worker thread read them in place.
// npm run demo            the store goes to the temporary folder
// npm run demo -- PATH    or to a file of your choice
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openFmalloc } from 'rfmalloc'
import { countFlights, figuresOfParquet, readFlights } from './flights.mjs'
import { progressBar, seconds } from './progress.mjs'

const folder = join(tmpdir(), 'rfmalloc-demo')
mkdirSync(folder, { recursive: true })
const path = process.argv[2] ?? join(folder, 'flights.fm')
const halfDay = 12 * 60 // minutes

// 1. Write. The vectors take their place in the file first; each chunk of Parquet then goes straight into it.
let started = performance.now()
const store = openFmalloc(path)
const n = await countFlights()
const date = store.vector('numeric', n, { name: 'date', replace: true }) // ms since 1970
const delay = store.vector('integer', n, { name: 'delay', replace: true }) // minutes
const distance = store.vector('integer', n, { name: 'distance', replace: true }) // miles
const usual = store.vector('integer', n, { name: 'usualDelay', replace: true }) // delay, NA beyond half a day

const progress = progressBar('storing flights', n)
for await (const flights of readFlights()) {
  date.write(flights.date, flights.start)
  delay.write(flights.delay, flights.start)
  distance.write(flights.distance, flights.start)
  const kept = flights.delay.map(minutes => (Math.abs(minutes) > halfDay ? null : minutes)) // null is NA
  usual.write(kept, flights.start)
  progress(flights.end)
}
await store.sync() // from here on a power cut loses nothing
const refs = { delay: delay.ref, usual: usual.ref }
store.close()
console.log(`stored ${n} flights in ${seconds(started)}`)
console.log(`  ${path}: ${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`)

// 2. What the figures must be, straight from the Parquet file.
const expected = await figuresOfParquet(halfDay)

// 3. A second process opens the file read-only and finds the vectors by name.
started = performance.now()
const reader = fileURLToPath(new URL('demo-reader.mjs', import.meta.url))
const fromProcess = JSON.parse(execFileSync(process.execPath, [reader, path], { encoding: 'utf8' }))
console.log(
  `second process, by name: ${seconds(started)}, ${fromProcess.ms.toFixed(1)} ms of it in the store`,
)

// 4. A worker thread gets two refs, small plain objects, and opens the vectors behind them.
started = performance.now()
const worker = new Worker(new URL('demo-worker.mjs', import.meta.url), { workerData: refs })
const [fromWorker] = await once(worker, 'message')
console.log(`worker, by ref: ${seconds(started)}, ${fromWorker.ms.toFixed(1)} ms of it in the store`)

console.table(fromProcess.figures)
assert.deepEqual(fromProcess.figures, expected, 'the second process disagrees with the Parquet file')
assert.deepEqual(fromWorker.figures, expected, 'the worker disagrees with the Parquet file')
console.log('both agree with the Parquet file')
