// The process that is killed. Thread 0 is its main thread, the others are workers; all of them act on one store. Says 'ready' when
// every thread holds the store open, and then acts until it is killed.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import * as fm from '../../../dist/index.js'
import { act, logTo } from './acts.mjs'

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData.job

function begin(thread) {
  const store = fm.openFmalloc(job.file, { syncEvery: job.syncEvery })
  const log = logTo(job.logs[thread])
  return () => {
    try {
      act({
        fm,
        store,
        file: job.file,
        thread,
        seed: job.seed,
        limit: job.limit,
        log,
        unnamed: job.unnamed[thread],
      })
    } catch (error) {
      log({ error: `${error?.code} ${error?.stack}` })
    }
  }
}

if (isMainThread) {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const go = begin(0)
  const workers = []
  for (let thread = 1; thread < job.threads; thread++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { job, thread, gate } })
    workers.push(worker)
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  }
  await new Promise(resolve => process.send('ready', resolve))
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  go()
  // Only a job with a limit comes here: the planted faults need a log in which every act is acknowledged.
  await Promise.all(workers.map(worker => new Promise(resolve => worker.once('exit', resolve))))
  process.kill(process.pid, 'SIGKILL')
} else {
  const go = begin(workerData.thread)
  parentPort.postMessage('open')
  Atomics.wait(workerData.gate, 0, 0)
  go()
}
