// Threads: every thread of the process sees one mapping. What goes to a worker is a ref, never a handle.

import { Worker } from 'node:worker_threads'
import test from 'ava'
import { openRef } from '../dist/index.js'
import { collect, until } from './helpers/waiting.mjs'
import { inChild } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

test('a worker that opens a ref sees the same bytes at once, both ways', async t => {
  const v = freshStore(t).vector('numeric', [1, 2, 3], { name: 'v' })
  const xs = v.view()
  const { run } = thread(t)
  t.deepEqual(
    await run(
      ({ fm, args, keep }) => {
        keep.v = fm.openRef(args.ref)
        keep.xs = keep.v.view()
        return keep.v.toArray()
      },
      { ref: v.ref },
    ),
    [1, 2, 3],
  )
  v.set(0, 10)
  xs[1] = 20
  t.deepEqual(
    await run(({ keep }) => [keep.v.get(0), keep.xs[0], keep.v.get(1), keep.xs[1]]),
    [10, 10, 20, 20],
  )
  await run(({ keep }) => void (keep.v.set(0, 100), (keep.xs[2] = 300)))
  t.deepEqual([v.get(0), xs[0], v.get(2), xs[2]], [100, 100, 300, 300])
})

test("atomics through two threads' views of one vector lose no count", async t => {
  const v = freshStore(t).vector('integer', 1)
  const team = [thread(t), thread(t), thread(t)]
  await Promise.all(
    team.map(({ run }) =>
      run(
        ({ fm, args }) => {
          const xs = fm.openRef(args.ref).view()
          for (let i = 0; i < 100_000; i++) Atomics.add(xs, 0, 1)
        },
        { ref: v.ref },
      ),
    ),
  )
  t.is(v.get(0), 300_000)
})

test('a ref of a temporary works in a worker of the same process', async t => {
  const copy = freshStore(t).vector('integer', [1, 2, 3]).copy()
  const { run } = thread(t)
  t.deepEqual(await run(({ fm, args }) => fm.openRef(args.ref).toArray(), { ref: copy.ref }), [1, 2, 3])
})

test('what a worker creates, names and changes is there for the others at once', async t => {
  const store = freshStore(t)
  const { run } = thread(t)
  const ref = await run(
    ({ fm, args, keep }) => {
      keep.store = fm.openFmalloc(args.file)
      return keep.store.vector('integer', [7, 8], { name: 'from-worker' }).ref
    },
    { file: store.path },
  )
  t.deepEqual(store.getVector('from-worker').toArray(), [7, 8])
  t.deepEqual(openRef(ref).toArray(), [7, 8])
  store.set('renamed', store.getVector('from-worker'))
  t.deepEqual(await run(({ keep }) => [...keep.store.keys()]), ['renamed'])
})

test('a name taken by another thread is taken', async t => {
  const store = freshStore(t)
  const { run, tell } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.store = fm.openFmalloc(args.file)
      keep.store.vector('integer', 1, { name: 'v' })
    },
    { file: store.path },
  )
  refuses(t, () => store.vector('integer', 1, { name: 'v' }), 'EXISTS')
  t.is(store.vector('integer', [2], { name: 'v', replace: true }).get(0), 2)
  t.is(
    (await tell(({ keep }) => void keep.store.vector('integer', 1, { name: 'v' }))).code,
    'ERR_FMALLOC_EXISTS',
  )
})

test('destroyed in one thread: the handle of another dies loudly at its next use, the bytes of its view stay', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 1000, { name: 'v' }).fill(7)
  const { run, tell } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.v = fm.openRef(args.ref)
      keep.xs = keep.v.view()
      return keep.v.get(0)
    },
    { ref: v.ref },
  )
  v.destroy()
  store.syncNow()
  for (let i = 0; i < 50; i++) store.vector('integer', 1000).fill(9)
  for (const use of [
    ({ keep }) => keep.v.get(0),
    ({ keep }) => keep.v.set(0, 1) && 0,
    ({ keep }) => keep.v.view() && 0,
    ({ keep }) => keep.v.copy() && 0,
    ({ keep }) => keep.v.fill(1) && 0,
  ]) {
    t.is((await tell(use)).code, 'ERR_FMALLOC_DESTROYED')
  }
  t.true(await run(({ keep }) => keep.xs.every(x => x === 7)))
  t.is(await run(({ keep }) => keep.v.state), 'destroyed')
})

test('a handle of another thread that has no view never shows other bytes either', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 1000, { name: 'v' }).fill(7)
  const { run, tell } = thread(t)
  await run(({ fm, args, keep }) => (keep.v = fm.openRef(args.ref)).get(0), { ref: v.ref })
  v.destroy({ unsafe: true })
  store.syncNow()
  for (let i = 0; i < 50; i++) store.vector('integer', 1000).fill(9)
  const answer = await tell(({ keep }) => keep.v.get(0))
  t.is(answer.code, 'ERR_FMALLOC_DESTROYED')
})

test('replaced in one thread: the handle of another is dead, the name gives the new one', async t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  const { run, tell } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.store = fm.openFmalloc(args.file)
      keep.v = keep.store.getVector('v')
    },
    { file: store.path },
  )
  store.vector('integer', [2], { name: 'v', replace: true })
  t.is((await tell(({ keep }) => keep.v.get(0))).code, 'ERR_FMALLOC_DESTROYED')
  t.is(await run(({ keep }) => keep.store.getVector('v').get(0)), 2)
})

test("closing in one thread leaves the other's handle", async t => {
  const file = freshPath(t)
  const store = open(t, file)
  const v = store.vector('integer', [5], { name: 'v' })
  const { run } = thread(t)
  await run(({ fm, args, keep }) => void (keep.v = fm.openRef(args.ref)), { ref: v.ref })
  store.close()
  refuses(t, () => v.get(0), 'CLOSED')
  t.is(await run(({ keep }) => keep.v.get(0)), 5)
  t.false(open(t, file).created)
})

/** The message of the DataCloneError that `fn` throws. */
function cloneError(fn) {
  try {
    fn()
  } catch (error) {
    return error?.name === 'DataCloneError' ? error.message : `${error?.name}, no DataCloneError`
  }
  return 'nothing was thrown'
}

for (const [what, wrap] of [
  ['itself', x => x],
  ['in an object', x => ({ deep: [x] })],
  ['in a map', x => new Map([['a', x]])],
]) {
  test(`a handle ${what} cannot be cloned, posted or given as workerData; the error says what to send`, async t => {
    const store = freshStore(t)
    const v = store.vector('integer', [1])
    for (const [handle, advice] of [
      [v, /\.ref.*openRef/s],
      [v.subarray(0, 1), /\.ref.*openRef/s],
      [store, /path|ref/],
    ]) {
      const message = wrap(handle)
      t.regex(
        cloneError(() => structuredClone(message)),
        advice,
      )
      const { worker, run } = thread(t)
      t.regex(
        cloneError(() => worker.postMessage(message)),
        advice,
      )
      t.is(await run(() => 1), 1, 'the worker is unharmed')
      t.regex(
        cloneError(() => new Worker('', { eval: true, workerData: message })),
        advice,
      )
    }
  })
}

test('a ref in workerData opens', async t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.url).then((fm) => parentPort.postMessage(fm.openRef(workerData.ref).toArray()))`
  const worker = new Worker(code, {
    eval: true,
    workerData: { ref: v.ref, url: new URL('../dist/index.js', import.meta.url).href },
  })
  t.deepEqual(
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    [1, 2, 3],
  )
  await worker.terminate()
})

test('liveVectors counts the live handles of all threads, and falls when a thread ends', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  t.is(store.diagnose().runtime.liveVectors, 1)
  const { run, end } = thread(t)
  await run(({ fm, args, keep }) => void (keep.v = fm.openRef(args.ref)), { ref: v.ref })
  t.is(store.diagnose().runtime.liveVectors, 2)
  await end()
  await until("the thread's handle is gone", async () => {
    await collect(1)
    return store.diagnose().runtime.liveVectors === 1
  })
  t.is(v.get(0), 1)
})

test('a terminated worker leaves the store usable and whole, with what it had committed', async t => {
  const store = freshStore(t)
  const { worker, run } = thread(t)
  const count = new Int32Array(new SharedArrayBuffer(4))
  await run(({ fm, args, keep }) => void (keep.store = fm.openFmalloc(args.file)), { file: store.path })
  worker.postMessage({
    source: String(({ keep, args }) => {
      for (let i = 0; ; i++) {
        keep.store.vector('integer', [i], { name: `v${i}` })
        Atomics.store(args.count, 0, i + 1)
      }
    }),
    args: { count },
  })
  await until('a hundred vectors', () => Atomics.load(count, 0) >= 100)
  await worker.terminate()
  const done = Atomics.load(count, 0)
  t.true(store.size === done || store.size === done + 1)
  for (let i = 0; i < done; i++) if (store.getVector(`v${i}`).get(0) !== i) t.fail(`v${i}`)
  t.is(store.vector('integer', [1], { name: 'after' }).get(0), 1)
  t.true(store.verify().ok)
})

test('threads that create and destroy at once leave a whole store', async t => {
  const store = freshStore(t)
  const team = Array.from({ length: 4 }, () => thread(t))
  await Promise.all(
    team.map(({ run }, i) =>
      run(
        ({ fm, args }) => {
          const store = fm.openFmalloc(args.file)
          const live = []
          for (let n = 0; n < 1500; n++) {
            live.push(store.vector('integer', 1 + ((n * 37) % 500), { name: `t${args.i}-${n}` }).fill(n))
            if (live.length > 20) live.splice(n % 20, 1)[0].destroy({ unsafe: n % 2 === 0 })
            if (n % 100 === 0) store.syncNow()
          }
          for (const v of live)
            if (!v.toTypedArray().every(x => x === v.get(0))) throw new Error(`${v} is mixed`)
        },
        { file: store.path, i },
      ),
    ),
  )
  t.is(store.size, 80)
  for (const [name, v] of store.entries()) {
    const n = Number(name.split('-')[1])
    if (!v.view().every(x => x === n)) t.fail(`${name} holds other bytes`)
  }
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})

test('threads that replace one name at once leave one vector under it, whole', async t => {
  const store = freshStore(t)
  store.vector('integer', 100, { name: 'shared' })
  const team = Array.from({ length: 4 }, () => thread(t))
  await Promise.all(
    team.map(({ run }, i) =>
      run(
        ({ fm, args }) => {
          const store = fm.openFmalloc(args.file)
          const replace = () => {
            try {
              store.vector(
                'integer',
                Int32Array.from({ length: 100 }, () => args.i),
                { name: 'shared', replace: true },
              )
              return true
            } catch (error) {
              // Another thread is reading the one to be replaced.
              if (error.code !== 'ERR_FMALLOC_BUSY') throw error
              return false
            }
          }
          for (let n = 0; n < 500; n++) {
            while (!replace());
            const seen = store.getVector('shared')
            try {
              const xs = seen.toTypedArray()
              if (!xs.every(x => x === xs[0])) throw new Error('mixed')
            } catch (error) {
              if (error.code !== 'ERR_FMALLOC_DESTROYED') throw error
            }
          }
        },
        { file: store.path, i },
      ),
    ),
  )
  t.deepEqual([...store.keys()], ['shared'])
  const xs = store.getVector('shared').view()
  t.true(xs.every(x => x === xs[0]))
  t.is(store.allocations().filter(({ state }) => state === 'committed').length, 1)
  t.true(store.verify().ok)
})

test('threads whose temporaries press on their stores at the same instant all find room', async t => {
  // Each looks for the engine's gc function then, by a flag that all threads share.
  const counts = await inChild(
    t,
    async ({ args, workers, until }) => {
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        const store = fm.openFmalloc(workerData.file, { mode: 'scratch', sizeGb: 1 / 16 })
        const v = store.vector('raw', 2 ** 20)
        Atomics.add(workerData.ready, 0, 1)
        Atomics.wait(workerData.ready, 1, 0)
        for (let i = 0; i < 200; i++) v.copy()
        parentPort.postMessage(200)
        store.close()
      })`
      const ready = new Int32Array(new SharedArrayBuffer(8))
      const team = args.files.map(
        file => new workers.Worker(code, { eval: true, workerData: { file, url: args.url, ready } }),
      )
      const answers = Promise.all(
        team.map(
          worker => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
        ),
      )
      await until('all are ready', () => Atomics.load(ready, 0) === team.length)
      Atomics.store(ready, 1, 1)
      Atomics.notify(ready, 1)
      return answers
    },
    {
      files: Array.from({ length: 6 }, (_, i) => freshPath(t, `${i}.fm`)),
      url: new URL('../dist/index.js', import.meta.url).href,
    },
    { flags: ['--no-expose-gc'] },
  )
  t.deepEqual(counts, [200, 200, 200, 200, 200, 200])
})

test('the views of a worker that ends, by itself, by force or after closing, do not keep space for ever', async t => {
  const facts = await inChild(
    t,
    async ({ fm, args, workers }) => {
      const store = fm.openFmalloc(args.file)
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        const store = fm.openFmalloc(workerData.file)
        globalThis.views = []
        for (let i = 0; i < 50; i++) views.push(store.vector('raw', 2 ** 16, { name: 'v' + i, replace: true }).view())
        if (workerData.closes) store.close()
        if (workerData.stays) setInterval(() => {}, 1000)
        parentPort.postMessage('made')
      })`
      for (const [stays, closes] of [
        [true, false],
        [false, false],
        [true, true],
        [false, true],
      ]) {
        const worker = new workers.Worker(code, { eval: true, workerData: { ...args, stays, closes } })
        const exited = new Promise(resolve => worker.once('exit', resolve))
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        if (stays) await worker.terminate()
        await exited
      }
      const pinned = store.diagnose().runtime.externalRefs
      for (let i = 0; i < 50; i++) store.delete(`v${i}`)
      store.syncNow()
      const { nbytes } = store
      for (let i = 0; i < 50; i++) store.vector('raw', 2 ** 16)
      return { pinned, grown: store.nbytes - nbytes, ok: store.verify().ok }
    },
    { file: freshPath(t), url: new URL('../dist/index.js', import.meta.url).href },
  )
  // The first buffer that the end of a thread reaches cannot be told from one that was moved to another thread.
  t.true(facts.pinned <= 4, `${facts.pinned} buffers of ended threads still pin their bytes`)
  t.deepEqual({ grown: facts.grown, ok: facts.ok }, { grown: 0, ok: true })
})

test('two workers one after the other, with no handle left in main, find the store again', async t => {
  // The library of an addon that only a worker had loaded was once unloaded with that worker: its registry was lost and its code unmapped.
  const counts = await inChild(
    t,
    async ({ args, workers }) => {
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.url).then((fm) => {
        const store = fm.openFmalloc(workerData.file)
        store.vector('integer', [1], { name: 'v' + store.size }).view()
        parentPort.postMessage(store.size)
      })`
      const sizes = []
      for (let i = 0; i < 3; i++) {
        const worker = new workers.Worker(code, { eval: true, workerData: args })
        const exited = new Promise(resolve => worker.once('exit', resolve))
        sizes.push(
          await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
        )
        await exited
        globalThis.gc()
      }
      return sizes
    },
    { file: freshPath(t), url: new URL('../dist/index.js', import.meta.url).href },
  )
  t.deepEqual(counts, [1, 2, 3])
})
