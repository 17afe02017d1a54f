// Another process or thread that looks at a store: told { file, names, refs, readOnly }, it answers with what it sees. As a process it opens
// the file alone; as a thread it comes in by the refs beside the thread that writes.

import { parentPort } from 'node:worker_threads'
import * as fm from '../../../dist/index.js'
import { look } from './look.mjs'

function see({ file, refs, readOnly }) {
  const store = fm.openFmalloc(file, { readOnly, create: false })
  try {
    return {
      keys: [...store.keys()],
      faults: store.verify({ payloads: true }).faults,
      looks: refs.map(ref => {
        const x = fm.openRef(ref, { path: file, readOnly })
        return { name: x.name, ...look(x) }
      }),
    }
  } finally {
    store.close()
  }
}

function answer(request) {
  try {
    return see(request)
  } catch (error) {
    return { error: `${error?.code} ${error?.stack}` }
  }
}

if (parentPort !== null) parentPort.on('message', request => parentPort.postMessage(answer(request)))
else process.on('message', request => process.send(answer(request)))
