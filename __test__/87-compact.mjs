// Compaction seen from JavaScript: handles, subarrays and refs follow what moved, views keep it in place, and a copy is a store of its own.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { openFmalloc, openRef } from '../dist/index.js'
import { content, sameBits } from './helpers/bytes.mjs'
import { freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'
import { collect } from './helpers/waiting.mjs'

const N = 50_000

/** A store whose first vector is a gap and whose others lie behind it. */
function gapped(t, ...types) {
  const store = freshStore(t)
  store.vector('raw', 16 * 8 * N, { name: 'gap' })
  const vectors = types.map((type, i) => store.vector(type, content(type, N, i), { name: `v${i}` }))
  store.syncNow()
  store.delete('gap')
  return { store, vectors }
}

const size = store => fs.statSync(store.path).size

test('the file gets shorter by what is freed, and everything reads as before', t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer', 'complex', 'raw', 'logical')
  const refs = vectors.map(v => v.ref)
  const before = size(store)
  const { moved, freed } = store.compact()
  t.true(moved >= 4 * N && freed > 100 * N)
  t.is(size(store), before - freed)
  t.is(store.nbytes, size(store))
  for (const [i, v] of vectors.entries()) {
    t.is(store.get(`v${i}`), v)
    t.is(v.state, 'committed')
    t.deepEqual(v.ref, refs[i])
    t.is(openRef(refs[i]), v)
    t.true(sameBits(v.toTypedArray(), content(v.type, N, i)))
  }
  t.deepEqual(store.compact(), { moved: 0, freed: 0 })
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})

test('get and set, warm on a vector and its subarrays, follow it', t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer')
  const [v, w] = vectors
  const part = v.subarray(100, 200)
  for (let i = 0; i < 100; i++) t.is(part.get(i), v.get(100 + i))
  w.set(0, 5)
  t.true(store.compact().moved > 0)
  // Whatever lies in the old place now must not be seen or written.
  const alien = store.vector('raw', 20 * N).fill(255)
  part.set(1, 11)
  v.set(100, 10)
  w.set(1, 6)
  t.deepEqual([v.get(100), v.get(101), part.get(0), part.get(1)], [10, 11, 10, 11])
  t.deepEqual([w.get(0), w.get(1)], [5, 6])
  t.is(v.view()[101], 11)
  t.true(alien.toTypedArray().every(x => x === 255))
  t.is(v.state, 'committed')
  t.true(v.destroy())
  t.is(part.state, 'destroyed')
  refuses(t, () => part.get(0), 'DESTROYED')
  refuses(t, () => v.set(0, 1), 'DESTROYED')
})

test('a view keeps its vector where it is until it is collected', async t => {
  const { store, vectors } = gapped(t, 'numeric')
  const [v] = vectors
  let xs = v.view()
  xs[0] = 77
  // The name alone moves.
  t.true(store.compact().moved < 1000)
  t.is(store.diagnose().summary.compactionHeldBack, 1)
  xs[1] = 78
  t.deepEqual([v.get(0), v.get(1)], [77, 78])
  xs = undefined
  vectors.length = 0
  await collect()
  t.is(store.get('v0').get(1), 78)
})

test('what another thread has open stays, and that thread notices nothing', async t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer')
  const { run } = thread(t)
  t.is(
    await run(
      ({ fm, args, keep }) => {
        keep.v = fm.openRef(args.ref)
        return keep.v.get(3)
      },
      { ref: vectors[0].ref },
    ),
    vectors[0].get(3),
  )
  t.true(store.compact().moved >= 4 * N)
  t.is(store.diagnose().summary.compactionHeldBack, 1)
  await run(({ keep }) => void keep.v.set(3, 42))
  t.is(vectors[0].get(3), 42)
  t.true(sameBits(vectors[1].toTypedArray(), content('integer', N, 1)))
})

test('compactAsync moves what nobody has open, while the thread goes on', async t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer')
  const [v] = vectors
  const steps = []
  vectors.length = 1
  await collect()
  const running = store.compactAsync({ onProgress: p => steps.push(p) })
  for (let i = 0; i < 1000; i++) v.set(i, i)
  const { moved, freed } = await running
  t.true(moved >= 4 * N && freed >= 0)
  t.true(steps.every(p => p.unit === 'bytes' && p.done <= p.total))
  t.is(steps.at(-1).done, steps.at(-1).total)
  for (let i = 0; i < 1000; i++) if (v.get(i) !== i) t.fail(`${i}`)
  t.true(sameBits(store.getVector('v1').toTypedArray(), content('integer', N, 1)))
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})

test('an aborted compaction rejects with the reason; a throwing onProgress with its error', async t => {
  const { store } = gapped(t, 'numeric')
  const reason = new Error('enough')
  await t.throwsAsync(store.compactAsync({ signal: AbortSignal.abort(reason) }), { is: reason })
  await t.throwsAsync(store.compactTo(freshPath(t), { signal: AbortSignal.abort(reason) }), { is: reason })
  const boom = new Error('boom')
  const onProgress = () => {
    throw boom
  }
  await t.throwsAsync(store.compactTo(freshPath(t), { onProgress }), { is: boom })
  await rejects(t, () => store.compactTo(freshPath(t), { signal: 1 }), 'ARGUMENT')
  await rejects(t, () => store.compactAsync({ what: 1 }), 'ARGUMENT')
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})

/** How an aborted copy ended: an abort may come too late on a busy machine, and then the copy counts. */
const ending = running =>
  running.then(
    () => 'whole',
    e => e.message,
  )

test('a copy stopped midway leaves nothing behind', async t => {
  const store = freshStore(t)
  for (let i = 0; i < 20; i++) store.vector('raw', 8 * 2 ** 20, { name: `v${i}` })
  const directory = freshDirectory(t)
  const controller = new AbortController()
  const running = store.compactTo(path.join(directory, 'copy.fm'), { signal: controller.signal })
  controller.abort(new Error('enough'))
  if ((await ending(running)) === 'enough') t.deepEqual(fs.readdirSync(directory), [])
  else t.is(open(t, path.join(directory, 'copy.fm')).size, 20)
})

test('a temporary moves too; one that is being made does not, nor can it be pulled away', t => {
  const { store } = gapped(t, 'numeric')
  const copy = store.getVector('v0').copy()
  t.is(copy.get(0), store.getVector('v0').get(0))
  t.true(store.tidy(() => (store.getVector('v0').slice(0, 10), store.compact())).moved > 0)
  t.true(sameBits(copy.toTypedArray(), content('numeric', N, 0)))
  t.is(copy.state, 'temporary')
  const inside = () => refuses(t, () => store.compact(), 'BUSY')
  store.getVector('v0').map((x, i) => (i === 0 && inside(), x), 'numeric')
  const trap = {
    re: 1,
    get im() {
      inside()
      return 2
    },
  }
  store.vector(
    'complex',
    Array(5000)
      .fill(trap)
      .slice(0, 2)
      .concat(Array(4000).fill({ re: 0, im: 0 })),
  )
})

test('a value whose getter compacts is written where the vector is then', t => {
  const { store, vectors } = gapped(t, 'complex')
  const [v] = vectors
  v.get(0)
  v.set(0, {
    re: 1,
    get im() {
      store.compact()
      return 2
    },
  })
  t.deepEqual(v.get(0), { re: 1, im: 2 })
  const other = store.vector('raw', 16 * N).fill(9)
  t.true(other.toTypedArray().every(x => x === 9))
})

test('a copy has the same objects under a new uuid', async t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer')
  const unnamed = store.vector('integer', [1, null, 3])
  const temporary = vectors[0].copy()
  const file = freshPath(t, 'copy.fm')
  const steps = []
  t.is(await store.compactTo(file, { onProgress: p => steps.push(p) }), undefined)
  t.is(steps.at(-1).done, steps.at(-1).total)
  t.true(fs.statSync(file).size < 20 * N + 400_000)
  await rejects(t, () => store.compactTo(file), 'EXISTS')
  const copy = open(t, file)
  t.not(copy.uuid, store.uuid)
  t.deepEqual([...copy.keys()], [...store.keys()])
  t.is(copy.allocations().length, 3)
  t.is(copy.diagnose().summary.cleanAtOpen, 1)
  for (const [i, v] of vectors.entries()) {
    const twin = copy.get(`v${i}`)
    t.deepEqual({ ...twin.ref, uuid: 0, path: 0 }, { ...v.ref, uuid: 0, path: 0 })
    t.true(sameBits(twin.toTypedArray(), content(v.type, N, i)))
  }
  t.deepEqual(openRef({ ...unnamed.ref, uuid: copy.uuid, path: file }).toArray(), [1, null, 3])
  t.is(temporary.state, 'temporary')
  t.deepEqual(copy.verify(), { ok: true, faults: [] })
})

test('onto its own path the store is replaced and closed, by whatever name it is called', async t => {
  const { store, vectors } = gapped(t, 'numeric', 'integer')
  const link = path.join(path.dirname(store.path), 'link.fm')
  fs.symlinkSync('store.fm', link)
  const { uuid } = store
  const [v] = vectors
  const { ref } = v
  const before = size(store)
  v.get(0)
  const running = store.compactTo(link)
  // Busy while it is replaced, closed from the end of that on: never an answer that only the old file would hear of.
  refuses(t, () => v.get(0), ['BUSY', 'CLOSED'])
  refuses(t, () => v.set(0, 1), ['BUSY', 'CLOSED'])
  refuses(t, () => store.get('v0'), ['BUSY', 'CLOSED'])
  await running
  t.true(store.closed && v.state === 'closed')
  refuses(t, () => v.get(0), 'CLOSED')
  t.true(fs.statSync(store.path).size < before - 100 * N)
  const again = open(t, store.path)
  t.is(again.uuid, uuid)
  t.true(sameBits(openRef(ref).toTypedArray(), content('numeric', N, 0)))
  t.deepEqual([...again.keys()], ['v0', 'v1'])
  t.deepEqual(fs.readdirSync(path.dirname(store.path)).sort(), ['link.fm', 'store.fm'])
})

test('views and other handles are in the way of a replacement; views nobody has any more are not', async t => {
  const { store, vectors } = gapped(t, 'numeric')
  const xs = vectors[0].view()
  await rejects(t, () => store.compactTo(store.path), 'BUSY', /views/)
  xs[0] = 12
  t.is(vectors[0].get(0), 12)
  const other = open(t, store.path)
  await rejects(t, () => store.compactTo(store.path), 'BUSY')
  other.close()
  ;(() => store.vector('integer', [1, 2, 3]).view())()
  store.delete('v0')
  vectors.length = 0
  t.is(xs[0], 12)
})

test('an abort of a replacement gives the store back', async t => {
  const { store, vectors } = gapped(t, 'numeric')
  for (let i = 0; i < 8; i++) store.vector('raw', 8 * 2 ** 20)
  const [v] = vectors
  v.get(0)
  const controller = new AbortController()
  const running = store.compactTo(store.path, { signal: controller.signal })
  controller.abort(new Error('enough'))
  if ((await ending(running)) === 'whole') return t.true(store.closed)
  t.false(store.closed)
  v.set(0, 3)
  t.is(v.get(0), 3)
  t.is(v.view()[0], 3)
  t.deepEqual(store.verify(), { ok: true, faults: [] })
})

// The vectors had no names, and nobody held them: they could be collected, and a copy of nothing was done before the store was closed. A thread that
// is kept from running may close too late in any case: then the copy is whole, and the next one is tried.
test('closing the store ends a copy', async t => {
  const directory = freshDirectory(t)
  let ended = false
  for (let attempt = 0; attempt < 20 && !ended; attempt++) {
    const store = freshStore(t)
    for (let i = 0; i < 20; i++) store.vector('raw', 8 * 2 ** 20, { name: `v${i}` }).fill(i + 1)
    const file = path.join(directory, `copy${attempt}.fm`)
    const running = store.compactTo(file)
    store.close()
    try {
      await running
      const copy = openFmalloc(file, { readOnly: true })
      t.true(copy.verify().ok)
      copy.close()
      fs.rmSync(file)
    } catch (e) {
      t.is(e.code, 'ERR_FMALLOC_CLOSED')
      ended = true
    }
    t.deepEqual(fs.readdirSync(directory), [])
  }
  t.true(ended, 'a copy went on after the store was closed')
})

test('read-only, scratch and closed stores', async t => {
  const { store } = gapped(t, 'numeric')
  store.close()
  refuses(t, () => store.compact(), 'CLOSED')
  await rejects(t, () => store.compactAsync(), 'CLOSED')
  await rejects(t, () => store.compactTo(freshPath(t)), 'CLOSED')
  const reader = open(t, store.path, { readOnly: true })
  refuses(t, () => reader.compact(), 'READ_ONLY')
  await rejects(t, () => reader.compactAsync(), 'READ_ONLY')
  await rejects(t, () => reader.compactTo(store.path), 'READ_ONLY')
  const file = freshPath(t)
  await reader.compactTo(file)
  t.true(sameBits(open(t, file).getVector('v0').toTypedArray(), content('numeric', N, 0)))
  const scratch = freshStore(t, { mode: 'scratch' })
  const gap = scratch.vector('raw', 2 ** 22)
  const kept = scratch.vector('numeric', content('numeric', N, 1))
  t.is(kept.get(0), content('numeric', 1, 1)[0])
  gap.destroy()
  t.true(scratch.compact().freed > 2 ** 21)
  t.true(sameBits(kept.toTypedArray(), content('numeric', N, 1)))
  await rejects(t, () => scratch.compactTo(freshPath(t)), 'MODE')
})

test('ten rewrites of a vector stay within 2.2 times its size, and within 1.05 after a compaction or a copy', async t => {
  const store = freshStore(t)
  const n = 500_000
  const values = content('numeric', n, 1)
  for (let i = 0; i < 10; i++) {
    values[0] = i
    store.vector('numeric', values, { name: 'v', replace: true })
    t.true(size(store) < 2.2 * 8 * n, `${size(store)} after ${i}`)
    await store.sync()
  }
  const file = freshPath(t)
  await store.compactTo(file)
  t.true(fs.statSync(file).size < 1.05 * 8 * n + 131_072)
  store.compact()
  t.true(size(store) < 1.05 * 8 * n + 131_072)
  t.is(store.getVector('v').get(0), 9)
})
