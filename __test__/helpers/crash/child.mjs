// The process that dies. Thread 0 is its main thread, the others are workers; all of them act on one store. Says '.' when every thread
// holds the store open, and then acts until it dies in the way of its job (see deaths.mjs).

import fs from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import * as fm from '../../../dist/index.js'
import { actor, logTo } from './acts.mjs'

/** Places in the gate: threads begin; the trigger is pulled; from here on, one for each thread: it is being ended. */
const [BEGIN, PULL, ENDING] = [0, 1, 2]

const { job, thread, gate } = isMainThread
  ? {
      job: JSON.parse(process.argv[2]),
      thread: 0,
      gate: new Int32Array(new SharedArrayBuffer(4 * (ENDING + 16))),
    }
  : workerData
const { death } = job
const log = logTo(job.logs[thread])

let store

function begin() {
  return actor({
    fm,
    open: () => (store = fm.openFmalloc(job.file, job.options)),
    file: job.file,
    thread,
    seed: job.seed,
    log,
    unnamed: job.unnamed[thread],
  })
}

/**
 * Runs `act`; an error that it meets is a finding, unless the thread is being ended: for an instant Node lets such a thread go on although
 * native calls cannot answer it any more, and they give undefined.
 */
function told(act) {
  try {
    act()
  } catch (error) {
    if (Atomics.load(gate, ENDING + thread) === 0) log({ error: `${error?.code} ${error?.stack}` })
    throw error
  }
}

/** Says that these threads are being ended. */
function ending(threads) {
  for (const one of threads) Atomics.store(gate, ENDING + one, 1)
}

const everyThread = Array.from({ length: job.threads }, (_, i) => i)

/** Ends the process and its workers. */
function exit() {
  ending(everyThread)
  process.exit(0)
}

function forEver(me) {
  for (let n = 1; ; n++) {
    told(me.step)
    if (death.how === 'close' && n % death.every === 0)
      told(() => {
        me.closeStore()
        me.openStore()
      })
  }
}

/** A thread that kills the process some microseconds after `pull()`. */
async function trigger() {
  const code = `
    const { workerData: { gate, micros }, parentPort } = require('node:worker_threads')
    parentPort.postMessage('here')
    Atomics.wait(gate, ${PULL}, 0)
    const end = process.hrtime.bigint() + BigInt(micros * 1000)
    while (process.hrtime.bigint() < end);
    process.kill(process.pid, 'SIGKILL')`
  const worker = new Worker(code, { eval: true, workerData: { gate, micros: death.micros } })
  worker.unref()
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return () => {
    Atomics.store(gate, PULL, 1)
    Atomics.notify(gate, PULL)
  }
}

/** Tells the one who may kill us, and lets the other threads begin. */
function ready() {
  fs.writeSync(1, '.')
  Atomics.store(gate, BEGIN, 1)
  Atomics.notify(gate, BEGIN)
}

/** What the main thread does: it acts, and ends in the way of its job. */
const ENDINGS = {
  close(me, pull) {
    for (let n = 0; n < death.closes; n++) {
      for (let i = 0; i < death.every; i++) told(me.step)
      told(() => me.closeStore(n + 1 === death.closes ? pull : undefined))
      told(me.openStore)
    }
    forEver(me)
  },
  exit(_me, pull) {
    pull()
    exit()
  },
  beforeExit(_me, pull, workers) {
    ending(everyThread.slice(1))
    for (const worker of workers) void worker.terminate()
    process.once('beforeExit', () => {
      pull()
      store.syncNow()
    })
  },
  throw(_me, pull) {
    setImmediate(() => {
      pull()
      ending(everyThread)
      throw new Error('as planned')
    })
  },
  async terminate(me, _pull, workers) {
    for (const worker of workers.slice(0, death.ends)) {
      ending([workers.indexOf(worker) + 1])
      const gone = worker.terminate()
      for (let i = 0; i < 3; i++) told(me.step)
      await gone
    }
    forEver(me)
  },
  handled(me, pull) {
    process.on(death.signal, () => {
      pull()
      exit()
    })
    ready()
    const turn = () => {
      for (let i = 0; i < 5; i++) told(me.step)
      setImmediate(turn)
    }
    turn()
  },
  kill: forEver,
  early: forEver,
  signal: forEver,
  /**
   * Every act acknowledged, then `rich` objects with parts, at the end one of each kind that has elements: what the acts before left
   * depends on how far work on other threads was. With `lie` the last of this kind was not done.
   */
  limit(me) {
    for (let i = 0; i < death.acts; i++) told(me.step)
    for (let i = 0; i < (death.rich ?? 0); i++) told(() => me.step('makeRich'))
    if (death.rich !== undefined)
      for (const kind of ['Text', 'List', 'Frame']) told(() => me.step(`make${kind}`))
    if (death.lie !== undefined) me.step(death.lie, { lies: true })
    process.kill(process.pid, 'SIGKILL')
  },
}

if (isMainThread) {
  const workers = []
  const me = begin()
  for (let thread = 1; thread < job.threads; thread++)
    workers.push(new Worker(new URL(import.meta.url), { workerData: { job, thread, gate } }))
  await Promise.all(
    workers.map(
      worker => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    ),
  )
  const pull = death.micros === undefined ? () => {} : await trigger()
  if (death.how !== 'handled') ready()
  if (death.how !== 'limit') for (let i = 0; i < (death.acts ?? 0); i++) told(me.step)
  await ENDINGS[death.how](me, pull, workers)
} else {
  const me = begin()
  parentPort.postMessage('open')
  Atomics.wait(gate, BEGIN, 0)
  forEver(me)
}
