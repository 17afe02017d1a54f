// Every way a process can end: its exit code is the expected one, the store reopens, and what had been made is there.

import fs from 'node:fs'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { start } from './helpers/child.mjs'
import { freshPath, open } from './helpers/files.mjs'

/** Vectors v0 to v<count - 1>, each beginning with its number, but v0 with `first`. */
function lookInto(t, file, count, first = 0) {
  const store = open(t, file)
  t.is(store.size, count)
  for (let i = 0; i < count; i++)
    if (store.getVector(`v${i}`).get(0) !== (i === 0 ? first : i))
      t.fail(`v${i} is ${store.getVector(`v${i}`)}`)
  t.deepEqual(store.verify(), { ok: true, faults: [] })
  store.vector('integer', [1], { name: 'afterwards' })
  store.close()
}

// Each child fills ten vectors (the last through a live view), keeps everything reachable, says 'made' and then ends in its own way.
const ENDS = {
  'a normal end': { code: 0, end: () => {} },
  'process.exit(0)': { code: 0, end: () => process.exit(0) },
  'process.exit(3)': { code: 3, end: () => process.exit(3) },
  'process.exitCode': { code: 7, end: () => void (process.exitCode = 7) },
  'a throw': {
    code: 1,
    end: () => {
      throw new Error('as planned')
    },
  },
  'a throw in a timer': {
    code: 1,
    end: () =>
      void setImmediate(() => {
        throw new Error('as planned')
      }),
  },
  'an unhandled rejection': { code: 1, end: () => void Promise.reject(new Error('as planned')) },
  "process.exit in an exit listener's turn": {
    code: 5,
    end: () => void process.once('beforeExit', () => process.exit(5)),
  },
  'SIGTERM by default': {
    signal: 'SIGTERM',
    end: () => new Promise(() => setInterval(() => {}, 1000)),
    kill: 'SIGTERM',
  },
  'SIGINT by default': {
    signal: 'SIGINT',
    end: () => new Promise(() => setInterval(() => {}, 1000)),
    kill: 'SIGINT',
  },
  'SIGTERM with a handler that exits': {
    code: 0,
    end: () =>
      new Promise(() => {
        process.on('SIGTERM', () => process.exit(0))
        setInterval(() => {}, 1000)
      }),
    kill: 'SIGTERM',
  },
  SIGKILL: { signal: 'SIGKILL', end: () => new Promise(() => setInterval(() => {}, 1000)), kill: 'SIGKILL' },
  abort: { signal: 'SIGABRT', end: () => process.abort() },
  'close, then the end': { code: 0, end: ({ store }) => store.close() },
  'close twice, then the end': {
    code: 0,
    end: ({ store }) => {
      store.close()
      store.close()
    },
  },
  'close with a live view that is used afterwards': {
    code: 0,
    end: ({ store, xs }) => {
      store.close()
      for (let i = 0; i < 1000; i++) xs[i % 4] = 99
    },
  },
  'close, use after close, process.exit': {
    code: 0,
    end: ({ store, v }) => {
      store.close()
      for (const use of [() => v.get(0), () => v.view(), () => store.vector('integer', 1)]) {
        try {
          use()
          process.exit(9)
        } catch (error) {
          if (error.code !== 'ERR_FMALLOC_CLOSED') process.exit(8)
        }
      }
      process.exit(0)
    },
  },
  'cleanup, then process.exit': {
    code: 0,
    end: ({ store, fm }) => {
      fm.cleanupFmalloc(store)
      process.exit(0)
    },
  },
  'a sync in flight': {
    code: 0,
    end: ({ store }) => {
      store.sync()
      process.exit(0)
    },
  },
  'use of the store in an exit listener': {
    code: 0,
    end: ({ store }) =>
      void process.on('exit', () => {
        store.getVector('v3').set(0, 3)
        store.getVector('v4').get(0)
      }),
  },
}

for (const [title, { end, code = null, signal = null, kill }] of Object.entries(ENDS)) {
  test(title, async t => {
    const file = freshPath(t)
    const child = start(
      t,
      async ({ fm, args, say, call }) => {
        const store = fm.openFmalloc(args.file)
        for (let i = 0; i < 9; i++) store.vector('integer', [i, i, i, i], { name: `v${i}` })
        const v = store.vector('integer', 4, { name: 'v9' })
        const xs = v.view()
        xs[0] = 9
        // A signal may come as soon as this is said: its handler stands by then.
        if (!args.killed) await say('made')
        const ending = call(args.end, { store, v, xs, fm })
        if (args.killed) await say('made')
        await ending
      },
      { file, end: String(end), killed: kill !== undefined },
    )
    t.is(await child.hear(), 'made')
    if (kill !== undefined) child.kill(kill)
    const ended = await child.ended
    t.deepEqual({ code: ended.code, signal: ended.signal }, { code, signal }, ended.stderr)
    lookInto(t, file, 10)
  })
}

test('two stores, one closed, one not, and process.exit: both are whole', async t => {
  const files = [freshPath(t), freshPath(t)]
  const child = start(
    t,
    ({ fm, args }) => {
      const [a, b] = args.files.map(file => fm.openFmalloc(file))
      for (const store of [a, b]) for (let i = 0; i < 10; i++) store.vector('integer', [i], { name: `v${i}` })
      a.close()
      process.exit(0)
    },
    { files },
  )
  t.is((await child.ended).code, 0)
  for (const file of files) lookInto(t, file, 10)
})

test('a worker terminated in the middle of its work', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    async ({ fm, args, workers, until }) => {
      const count = new Int32Array(new SharedArrayBuffer(4))
      const code = `
      const { workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        const store = fm.openFmalloc(workerData.file)
        const views = []
        for (let i = 0; ; i++) {
          views.push(store.vector('integer', [i], { name: 'v' + i }).view())
          Atomics.store(workerData.count, 0, i + 1)
        }
      })`
      const worker = new workers.Worker(code, { eval: true, workerData: { ...args, count } })
      await until('work', () => Atomics.load(count, 0) >= 200)
      await worker.terminate()
      const store = fm.openFmalloc(args.file)
      const made = Atomics.load(count, 0)
      const size = store.size
      store.close()
      return { made, size }
    },
    { file, url: new URL('../dist/index.js', import.meta.url).href },
  )
  const ended = await child.ended
  t.is(ended.code, 0, ended.stderr)
  const { made, size } = ended.value
  t.true(size === made || size === made + 1, `${made} were acknowledged, ${size} are there`)
  lookInto(t, file, size)
})

// Node 20 cannot detach a view: while another thread has the store open, a view that outlived its handle still is of the file.
const DETACHES = typeof ArrayBuffer.prototype.transfer === 'function'

for (const [title, end, code, first] of [
  ['process.exit', () => process.exit(0), 0],
  [
    'a throw',
    () => {
      throw new Error('as planned')
    },
    1,
  ],
  [
    'close and process.exit',
    ({ store }) => {
      store.close()
      process.exit(0)
    },
    0,
  ],
  [
    'close twice, a live view, and process.exit',
    ({ store, xs }) => {
      store.close()
      for (let i = 0; i < 100; i++) xs[i] = 9
      store.close()
      process.exit(0)
    },
    0,
    DETACHES ? 0 : 9,
  ],
]) {
  test(`main ends by ${title} beside a live worker`, async t => {
    const file = freshPath(t)
    const child = start(
      t,
      async ({ fm, args, workers, until, say, call }) => {
        const store = fm.openFmalloc(args.file)
        const xs = store.vector('integer', 100, { name: 'v0' }).view()
        const count = new Int32Array(new SharedArrayBuffer(4))
        const code = `
        const { workerData } = require('node:worker_threads')
        import(workerData.url).then((fm) => {
          const store = fm.openFmalloc(workerData.file)
          let views = []
          for (let i = 1; ; i++) {
            views.push(store.vector('integer', [i], { name: 'v' + i }).view())
            Atomics.store(workerData.count, 0, i + 1)
          }
        })`
        const worker = new workers.Worker(code, {
          eval: true,
          workerData: { file: args.file, url: args.url, count },
        })
        worker.on('error', error => {
          throw error
        })
        await until('work', () => Atomics.load(count, 0) >= 200)
        await say(Atomics.load(count, 0))
        await call(args.end, { store, xs })
      },
      { file, end: String(end), url: new URL('../dist/index.js', import.meta.url).href },
    )
    const made = await child.hear()
    const ended = await child.ended
    t.is(ended.code, code, ended.stderr)
    const store = openFmalloc(file, { readOnly: true })
    const size = store.size
    store.close()
    t.true(size >= made)
    lookInto(t, file, size, first)
  })
}

test('a worker that calls process.exit ends alone', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    async ({ fm, args, workers }) => {
      const code = `
      const { workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        const store = fm.openFmalloc(workerData.file)
        for (let i = 0; i < 10; i++) store.vector('integer', [i], { name: 'v' + i }).view()
        process.exit(4)
      })`
      const worker = new workers.Worker(code, { eval: true, workerData: args })
      const exit = await new Promise(resolve => worker.once('exit', resolve))
      const store = fm.openFmalloc(args.file)
      return { exit, size: store.size, created: store.created }
    },
    { file, url: new URL('../dist/index.js', import.meta.url).href },
  )
  const ended = await child.ended
  t.is(ended.code, 0, ended.stderr)
  t.deepEqual(ended.value, { exit: 4, size: 10, created: false })
  lookInto(t, file, 10)
})

test('syncEvery: false: a process that just ends still leaves everything it made, for the system is alive', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    ({ fm, args }) => {
      const store = fm.openFmalloc(args.file, { syncEvery: false })
      for (let i = 0; i < 10; i++) store.vector('integer', [i], { name: `v${i}` })
    },
    { file },
  )
  t.is((await child.ended).code, 0)
  lookInto(t, file, 10)
})

test('an open store does not keep a process from ending', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    ({ fm, args }) => {
      globalThis.store = fm.openFmalloc(args.file, { syncEvery: 60_000 })
      globalThis.store.vector('integer', [0], { name: 'v0' })
    },
    { file },
    { deadline: 50_000 },
  )
  const ended = await child.ended
  t.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null })
  lookInto(t, file, 1)
})

test('the end leaves no file beside the store', async t => {
  const file = freshPath(t)
  const child = start(
    t,
    ({ fm, args }) => {
      fm.openFmalloc(args.file).vector('integer', [0], { name: 'v0' }).copy()
      process.exit(0)
    },
    { file },
  )
  await child.ended
  t.deepEqual(fs.readdirSync(file.replace(/\/[^/]*$/, '')), ['store.fm'])
})
