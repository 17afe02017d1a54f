// Operations off the event loop. What must never happen: an abort or a close that crashes, hangs, or leaves an operand busy; a result nobody
// waits for that keeps its space; an operand that dies under the work; an event loop that stands still; a twin that throws.
//
// "While work waits" is made certain by pipes that nobody writes to: as long as libuv's threads are opening them, nothing that is begun starts.

import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { captureWarnings } from '../dist/index.js'
import { freshDirectory, freshStore, open } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'
import { deadline } from './helpers/waiting.mjs'

const N = 2 ** 21
const MANY = 24

/** Many sums of one vector, begun and not awaited. */
function crowd(x, o) {
  const all = Array.from({ length: MANY }, () => x.sumAsync(o))
  for (const one of all) one.catch(() => {})
  return all
}

/** Runs `fn` while libuv has no thread to spare: what it begins starts afterwards. */
function stalled(t, fn) {
  const directory = freshDirectory(t)
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4)
  const pipes = Array.from({ length: threads }, (_, i) => path.join(directory, `pipe${i}`))
  t.is(spawnSync('mkfifo', pipes).status, 0)
  for (const pipe of pipes) fs.open(pipe, 'r', (e, fd) => e ?? fs.closeSync(fd))
  try {
    return fn()
  } finally {
    for (const pipe of pipes) fs.closeSync(fs.openSync(pipe, 'w'))
  }
}

test('a twin gives what its method gives, and its warnings, in its own context', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [3, null, 1, NaN])
  for (const name of ['sum', 'prod', 'mean', 'min', 'max', 'range']) {
    t.deepEqual(await x[`${name}Async`](), x[name](), name)
    t.deepEqual(await x[`${name}Async`]({ naRm: true }), x[name]({ naRm: true }), name)
  }
  const text = store.vector('character', ['b', 'a string of some length', null])
  t.deepEqual(await text.rangeAsync({ naRm: true }), ['a string of some length', 'b'])
  const { value, warnings } = await captureWarnings(() => text.meanAsync())
  t.is(value, null)
  t.deepEqual(
    warnings.map(({ code, operation }) => [code, operation]),
    [['not-numeric', 'mean']],
  )
})

test('a twin always rejects and never throws', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [1])
  await rejects(t, () => x.sumAsync({ narm: true }), 'ARGUMENT', /narm/)
  await rejects(t, () => x.sumAsync({ signal: {} }), 'ARGUMENT', /signal/)
  await rejects(t, () => x.sumAsync({ onProgress: 1 }), 'ARGUMENT', /onProgress/)
  await rejects(t, () => x.sumAsync({ memory: 'much' }), 'ARGUMENT', /memory/)
  await rejects(t, () => x.sumAsync(5), 'ARGUMENT')
  await rejects(t, () => store.vector('complex', 1).maxAsync(), 'TYPE')
  await rejects(t, () => store.vector('character', ['a']).sumAsync(), 'TYPE')
  const reason = new Error('never wanted')
  t.is(await x.sumAsync({ signal: AbortSignal.abort(reason) }).catch(e => e), reason)
  x.destroy()
  await rejects(t, () => x.sumAsync(), 'DESTROYED')
  const y = store.vector('numeric', [1])
  store.close()
  await rejects(t, () => y.sumAsync(), 'CLOSED')
})

test('an abort rejects with its reason, and then nothing is held', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N)
  const controller = new AbortController()
  const reason = new Error('enough')
  const waiting = stalled(t, () => {
    const all = crowd(x, { signal: controller.signal })
    controller.abort(reason)
    return all
  })
  for (const end of await deadline('aborted sums', Promise.allSettled(waiting))) t.is(end.reason, reason)
  // Some of these may be at their end already.
  const later = new AbortController()
  const running = crowd(x, { signal: later.signal })
  await running[0]
  later.abort(reason)
  const ends = await deadline('aborted sums', Promise.allSettled(running))
  for (const end of ends) t.true(end.value === 0 || end.reason === reason)
  t.true(x.destroy(), 'no operation holds it')
  t.is(store.diagnose().summary.temporaries, 0)
})

// Every operation used to listen by itself, so the eleventh on one signal made Node warn of a leak (MaxListenersExceededWarning).
test('operations on one signal share its listener, and the last takes it away', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N)
  const controller = new AbortController()
  const { signal } = controller
  const listeners = () => getEventListeners(signal, 'abort').length
  const warned = []
  const listen = warning => warned.push(warning.name)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  for (let round = 0; round < 2; round++) {
    const all = stalled(t, () => {
      const begun = [...crowd(x, { signal }), x.prefetch({ signal })]
      t.is(listeners(), 1)
      return begun
    })
    await deadline('sums', Promise.all(all))
    t.is(listeners(), 0)
  }
  const waiting = stalled(t, () => {
    const begun = crowd(x, { signal })
    controller.abort('enough')
    t.is(listeners(), 0)
    return begun
  })
  for (const end of await deadline('sums', Promise.allSettled(waiting))) t.is(end.reason, 'enough')
  await new Promise(resolve => setImmediate(resolve))
  t.deepEqual(warned, [])
})

test('progress goes up to the end in bytes; what a listener throws rejects', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N)
  const seen = []
  t.is(await x.sumAsync({ onProgress: p => seen.push(p) }), 0)
  t.deepEqual(seen.at(-1), { done: 8 * N, total: 8 * N, unit: 'bytes' })
  for (const [i, { done, total }] of seen.entries()) {
    t.is(total, 8 * N)
    t.true(i === 0 || done > seen[i - 1].done)
  }
  const oops = new Error('oops')
  const thrown = x.sumAsync({
    onProgress: () => {
      throw oops
    },
  })
  t.is(await thrown.catch(e => e), oops)
  t.true(x.destroy())
})

test('what works on a vector cannot be taken from under it', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N, { name: 'x' })
  const text = store.vector('character', 1 << 16).fill('a string of some length')
  const [all, others] = stalled(t, () => {
    const begun = [crowd(x), [text.maxAsync(), text.rangeAsync()]]
    refuses(t, () => x.destroy(), 'BUSY')
    refuses(t, () => x.destroy({ unsafe: true }), 'BUSY')
    refuses(t, () => store.delete('x'), 'BUSY')
    refuses(t, () => text.destroy(), 'BUSY')
    return begun
  })
  // Elements may be written meanwhile: the sums are some numbers.
  x.fill(1)
  const sums = await Promise.all(all)
  t.true(sums.every(sum => sum >= 0 && sum <= N))
  t.deepEqual((await Promise.all(others)).flat(), new Array(3).fill('a string of some length'))
  t.true(x.destroy() && text.destroy())
})

test('closing the store rejects what runs and what waits, and does not wait for its turn', async t => {
  for (const isStalled of [true, false]) {
    const store = freshStore(t)
    const x = store.vector('numeric', N)
    const text = store.vector('character', 1 << 16).fill('a string of some length')
    const act = () => {
      const all = [...crowd(x), text.minAsync(), text.rangeAsync()]
      for (const one of all) one.catch(() => {})
      store.close()
      return all
    }
    const all = isStalled ? stalled(t, act) : act()
    for (const one of all) await rejects(t, () => deadline('a sum', one), 'CLOSED')
    const again = open(t, store.path)
    t.deepEqual(again.verify(), { ok: true, faults: [] })
  }
})

test('closing one store leaves work on another alone', async t => {
  const [a, b] = [freshStore(t), freshStore(t)]
  const [ours, theirs] = [crowd(a.vector('numeric', N).fill(1)), crowd(b.vector('numeric', N).fill(2))]
  a.close()
  for (const one of ours) await rejects(t, () => one, 'CLOSED')
  t.deepEqual(new Set(await Promise.all(theirs)), new Set([2 * N]))
})

test("a thread's close rejects its own work only, while another has the store open", async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N, { name: 'x' }).fill(1)
  const { run } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.store = fm.openFmalloc(args.path)
      keep.x = keep.store.get('x')
      return true
    },
    { path: store.path },
  )
  const ours = crowd(x)
  const theirs = await run(
    async ({ keep, args }) => {
      const all = Array.from({ length: args.many }, () => keep.x.sumAsync().catch(e => e.code))
      keep.store.close()
      return Promise.all(all)
    },
    { many: MANY },
  )
  t.deepEqual(new Set(theirs), new Set(['ERR_FMALLOC_CLOSED']))
  t.deepEqual(new Set(await Promise.all(ours)), new Set([N]))
})

test('a thread that ends while its work runs takes nothing with it', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N, { name: 'x' }).fill(1)
  for (const how of ['terminated', 'exited']) {
    const { run, tell, exited, end } = thread(t)
    await run(
      ({ fm, args, keep }) => {
        keep.x = fm.openRef(args.ref)
        return true
      },
      { ref: x.ref },
    )
    const begun = tell(
      ({ keep, args }) => {
        for (let i = 0; i < args.many; i++) keep.x.sumAsync().catch(() => {})
        if (args.how === 'exited') process.exit(0)
        return true
      },
      { many: MANY, how },
    )
    begun.catch(() => {})
    if (how === 'terminated') {
      await begun
      await end()
    }
    await deadline(`the thread that ${how}`, exited)
  }
  t.is(await x.sumAsync(), N)
  t.true(x.destroy(), 'no hold of the ended threads is left')
})

// Alone: other tests stop the event loop while they stop libuv.
test.serial('the event loop turns while work runs', async t => {
  const store = freshStore(t)
  const x = store.vector('numeric', N)
  const started = performance.now()
  x.sum()
  // Half a second of work, more or less, on any machine.
  const count = Math.min(2000, Math.ceil(500 / (performance.now() - started)))
  const all = Promise.all(Array.from({ length: count }, () => x.sumAsync()))
  let [turns, isRunning] = [0, true]
  all.then(() => {
    isRunning = false
  })
  while (isRunning) {
    await new Promise(resolve => setImmediate(resolve))
    turns += 1
  }
  t.true(turns > 10, `${turns} turns`)
  t.true((await all).every(sum => sum === 0))
})
