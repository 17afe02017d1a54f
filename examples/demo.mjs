// Three million flights become one data frame in one file; then another process and a worker thread read it in place.
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
import { countFlights, delaysOfParquet, figuresOfParquet, readFlights } from './flights.mjs'
import { progressBar, seconds } from './progress.mjs'

const folder = join(tmpdir(), 'rfmalloc-demo')
mkdirSync(folder, { recursive: true })
const path = process.argv[2] ?? join(folder, 'flights.fm')
const halfDay = 12 * 60 // minutes
const from = 'SFO'

// 1. Write. The columns take their place in the file first; each chunk of Parquet then goes straight into them.
let started = performance.now()
const store = openFmalloc(path)
const n = await countFlights()
const columns = {
  date: store.vector('numeric', n), // ms since 1970
  delay: store.vector('integer', n), // minutes
  usualDelay: store.vector('integer', n), // delay, NA beyond half a day
  distance: store.vector('integer', n), // miles
  origin: store.vector('character', n),
  destination: store.vector('character', n),
}

const progress = progressBar('storing flights', n)
for await (const { start, end, ...chunk } of readFlights()) {
  const usualDelay = chunk.delay.map(minutes => (Math.abs(minutes) > halfDay ? null : minutes)) // null is NA
  for (const [name, values] of Object.entries({ ...chunk, usualDelay })) columns[name].write(values, start)
  progress(end)
}
const flights = store.dataFrame(columns, { name: 'flights', replace: true }) // copies nothing
console.log(flights)
await store.sync() // from here on a power cut loses nothing
const { ref } = flights
store.close()
console.log(`stored ${n} flights in ${seconds(started)}`)
console.log(`  ${path}: ${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`)

// 2. What the figures must be, straight from the Parquet file.
const expected = await figuresOfParquet(halfDay)
const expectedDelays = await delaysOfParquet(from)

// 3. A second process opens the file read-only, finds the frame by name, and selects from it.
started = performance.now()
const reader = fileURLToPath(new URL('demo-reader.mjs', import.meta.url))
const fromProcess = JSON.parse(execFileSync(process.execPath, [reader, path, from], { encoding: 'utf8' }))
console.log(
  `second process, by name: ${seconds(started)}, ${fromProcess.ms.toFixed(1)} ms of it in the store`,
)

// 4. A worker thread gets a ref, a small plain object, and opens the frame behind it.
started = performance.now()
const worker = new Worker(new URL('demo-worker.mjs', import.meta.url), { workerData: ref })
const [fromWorker] = await once(worker, 'message')
console.log(`worker, by ref: ${seconds(started)}, ${fromWorker.ms.toFixed(1)} ms of it in the store`)

console.table(fromProcess.figures)
console.log(`mean delay from ${from}, by destination`)
console.table(fromProcess.some)
assert.deepEqual(fromProcess.figures, expected, 'the second process disagrees with the Parquet file')
assert.deepEqual(fromWorker.figures, expected, 'the worker disagrees with the Parquet file')
assert.deepEqual(fromProcess.delays, expectedDelays, 'the selection disagrees with the Parquet file')
const asked = expectedDelays.filter(({ to }) => fromProcess.some.some(one => one.to === to))
assert.deepEqual(fromProcess.some, asked, 'the selection by names disagrees with the Parquet file')
console.log('both agree with the Parquet file')
