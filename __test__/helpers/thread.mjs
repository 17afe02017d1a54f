// Starts helpers/worker.mjs and talks to it. The functions given to `run` are sent as source: they use only their argument.

import { Worker } from 'node:worker_threads'

export function thread(t, options = {}) {
  const worker = new Worker(new URL('worker.mjs', import.meta.url), options)
  const exited = new Promise(resolve => worker.once('exit', resolve))
  t.teardown(() => worker.terminate().then(() => {}))
  /** Runs `fn` there; resolves with { value } or with { code, message } of its error. */
  function tell(fn, args = {}) {
    return new Promise((resolve, reject) => {
      const gone = why => reject(why instanceof Error ? why : new Error(`the worker exited with ${why}`))
      worker.once('error', gone)
      worker.once('exit', gone)
      worker.once('message', answer => {
        worker.off('error', gone)
        worker.off('exit', gone)
        resolve(answer)
      })
      worker.postMessage({ source: String(fn), args })
    })
  }
  /** The same, where an error there fails here. */
  async function run(fn, args) {
    const answer = await tell(fn, args)
    if ('code' in answer) throw new Error(`in the worker: ${answer.code} ${answer.message}`)
    return answer.value
  }
  return { worker, exited, tell, run, end: () => worker.terminate().then(() => {}) }
}
