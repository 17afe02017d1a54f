// Starts reader.mjs as a process and as a thread, once for many questions.

import { fork } from 'node:child_process'
import { Worker } from 'node:worker_threads'

const READER = new URL('reader.mjs', import.meta.url)

/** The next message of a process or thread, or its end as an error. */
function heard(from, event) {
  return new Promise((resolve, reject) => {
    const gone = why => reject(why instanceof Error ? why : new Error(`the reader ended with ${why}`))
    from.once('error', gone).once('exit', gone)
    from.once(event, answer => {
      from.off('error', gone).off('exit', gone)
      resolve(answer)
    })
  })
}

/** { child, worker, end }: the first two take a request and resolve with the answer. */
export function watchers() {
  let process
  let thread
  return {
    child(request) {
      process ??= fork(READER, { execArgv: ['--no-warnings'] })
      process.send(request)
      return heard(process, 'message')
    },
    worker(request) {
      thread ??= new Worker(READER)
      thread.postMessage(request)
      return heard(thread, 'message')
    },
    async end() {
      process?.kill()
      await thread?.terminate()
    },
  }
}
