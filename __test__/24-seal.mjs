// Sealing: elements that nobody can change any more, in any thread or process, and that verify holds against their checksums.

import fs from 'node:fs'
import test from 'ava'
import { createMmapVector, fmallocFill, fmallocSet, fmallocVectorInfo, openRef } from '../dist/index.js'
import { fileWith, freshStore, open } from './helpers/files.mjs'
import { crashed } from './helpers/machine.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'
import { collect, deadline, until } from './helpers/waiting.mjs'

/** One vector of each type, and one longer than a checksum block. */
function sealedVectors(store) {
  return [
    store.vector('logical', [true, null, false]),
    store.vector('integer', [1, null, 3]),
    store.vector('numeric', [1.5, null, NaN]),
    store.vector('complex', [{ re: 1, im: 2 }, null]),
    store.vector('raw', [1, 2, 255]),
    store.vector('numeric', 200_000),
    store.vector('integer', 0),
  ].map(v => v.seal())
}

test('a sealed vector refuses every write and is read as before', t => {
  const store = freshStore(t)
  for (const v of sealedVectors(store)) {
    t.true(v.sealed)
    const before = v.toArray()
    const { type } = v
    const value = type === 'logical' ? true : type === 'complex' ? { re: 0, im: 0 } : 0
    if (v.length > 0) refuses(t, () => v.set(0, value), 'SEALED', /copy\(\)/)
    if (v.length > 0) refuses(t, () => v.subarray(0, 1).set(0, value), 'SEALED')
    refuses(t, () => v.set([], value), 'SEALED')
    refuses(t, () => v.fill(value), 'SEALED')
    refuses(t, () => v.write([]), 'SEALED')
    refuses(t, () => v.write(v.view()), 'SEALED')
    refuses(t, () => v.write(v), 'SEALED')
    refuses(t, () => fmallocSet(v, 0, value), 'SEALED')
    refuses(t, () => fmallocFill(v, value), 'SEALED')
    t.deepEqual(v.toArray(), before)
    t.deepEqual([...v], before)
    t.true(v.copy().equals(v))
    t.is(v.seal(), v)
  }
  t.true(store.verify({ payloads: true }).ok)
})

test('a handle that had read and written before the seal cannot write after it', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  const part = v.subarray(1)
  v.set(0, 10)
  part.set(0, 20)
  v.seal()
  refuses(t, () => v.set(0, 11), 'SEALED')
  refuses(t, () => part.set(0, 21), 'SEALED')
  t.true(part.sealed)
  t.deepEqual(v.toArray(), [10, 20, 3])
})

test('a handle in another thread, made before the seal, cannot write after it', async t => {
  const v = freshStore(t).vector('numeric', [1, 2, 3], { name: 'v' })
  const { run, tell } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.v = fm.openRef(args.ref)
      keep.v.set(0, 10)
    },
    { ref: v.ref },
  )
  v.seal()
  const answer = await tell(({ keep }) => keep.v.set(0, 11))
  t.is(answer.code, 'ERR_FMALLOC_SEALED')
  t.deepEqual(await run(({ keep }) => [keep.v.sealed, keep.v.state, keep.v.name, ...keep.v]), [
    true,
    'committed',
    'v',
    10,
    2,
    3,
  ])
  t.deepEqual(v.toArray(), [10, 2, 3])
})

test('a getter that seals the vector it is written to does not slip through', t => {
  const v = freshStore(t).vector('complex', [{ re: 1, im: 1 }])
  v.set(0, { re: 2, im: 2 })
  const trap = {
    im: 0,
    get re() {
      v.seal()
      return 9
    },
  }
  refuses(t, () => v.set(0, trap), 'SEALED')
  t.deepEqual(v.get(0), { re: 2, im: 2 })
  const w = freshStore(t).vector('integer', 2)
  refuses(
    t,
    () =>
      w.write(
        (function* () {
          yield 1
          w.seal()
          yield 2
        })(),
      ),
    'SEALED',
  )
  t.deepEqual(w.toArray(), [0, 0])
})

test('what is scribbled into a view of a sealed vector never reaches the file', t => {
  const store = freshStore(t)
  const small = store.vector('integer', [1, 2, 3], { name: 'small' }).seal()
  const large = store.vector('numeric', 300_000, { name: 'large' }).seal()
  for (const v of [small, large]) {
    const xs = v.view()
    const before = v.get(1)
    xs.fill(7)
    t.is(xs[1], 7)
    t.is(v.get(1), before)
  }
  t.true(store.verify({ payloads: true }).ok)
  store.close()
  const again = open(t, store.path)
  t.deepEqual(again.get('small').toArray(), [1, 2, 3])
  t.is(again.get('large').get(1), 0)
})

test('windows and readInto of a sealed vector read it whole', t => {
  const v = freshStore(t).vector(
    'integer',
    Int32Array.from({ length: 50_000 }, (_, i) => i),
  )
  v.seal()
  let sum = 0
  for (const w of v.windows({ bytes: '64 KiB' })) for (const x of w.view()) sum += x
  t.is(sum, (50_000 * 49_999) / 2)
  const target = new Int32Array(10)
  t.is(v.readInto(target, 49_995), 5)
  t.deepEqual([...target.subarray(0, 5)], [49_995, 49_996, 49_997, 49_998, 49_999])
})

test('a view of a sealed vector ends with its store as every view does', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 100_000, { name: 'v' }).fill(5).seal()
  const xs = v.view()
  t.is(xs[99_999], 5)
  store.close()
  if ('transfer' in ArrayBuffer.prototype) t.is(xs.length, 0)
  else t.is(xs[99_999], 0)
  await collect()
  t.is(open(t, store.path).get('v').get(99_999), 5)
})

test('a view that is alive is in the way; once it is collected the vector can be sealed', async t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  let xs = v.view()
  refuses(t, () => v.seal(), 'BUSY', /view/)
  xs[0] = 9
  t.is(v.get(0), 9)
  v.set(1, 8)
  xs = undefined
  await until('the view is collected', async () => {
    await collect()
    try {
      v.seal()
      return true
    } catch (e) {
      if (e.code !== 'ERR_FMALLOC_BUSY') throw e
      return false
    }
  })
  t.deepEqual(v.toArray(), [9, 8, 3])
})

test('what cannot be sealed is refused with a reason', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  refuses(t, () => v.copy().seal(), 'ARGUMENT', /keep/)
  refuses(t, () => v.subarray(0, 2).seal(), 'ARGUMENT', /subarray/)
  refuses(t, () => createMmapVector(fileWith(t, Buffer.alloc(8), 'plain')).seal(), 'UNSUPPORTED')
  const gone = store.vector('integer', 1)
  gone.destroy()
  refuses(t, () => gone.seal(), 'DESTROYED')
  store.close()
  refuses(t, () => v.seal(), 'CLOSED')
  t.false(v.sealed)
  const reader = open(t, store.path, { readOnly: true })
  refuses(t, () => reader.get('v').seal(), 'READ_ONLY')
})

test('a sealed vector is named, replaced and destroyed as any other', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'a' }).seal()
  store.set('b', v)
  t.true(v.sealed)
  t.is(store.get('b'), v)
  store.vector('integer', [2], { name: 'b', replace: true })
  t.false(store.get('b').sealed)
  const w = store.vector('integer', [3]).seal()
  t.true(w.destroy())
  refuses(t, () => w.set(0, 1), 'DESTROYED')
  t.true(store.verify({ payloads: true }).ok)
})

test('the seal stays over closing, and a reference finds it sealed', t => {
  const store = freshStore(t)
  const { ref } = store.vector('integer', [1, 2], { name: 'v' }).seal()
  store.close()
  const v = openRef(ref)
  t.teardown(() => v.store.close())
  t.true(v.sealed)
  refuses(t, () => v.set(0, 2), 'SEALED')
  t.is(typeof fmallocVectorInfo(v), 'object')
  v.store.close()
  const reader = open(t, store.path, { readOnly: true }).get('v')
  t.true(reader.sealed)
  refuses(t, () => reader.set(0, 2), 'READ_ONLY')
  reader.view()[0] = 9
  t.is(reader.get(0), 1)
})

test('a seal survives a power cut once it was synced, and with full durability at once', async t => {
  for (const options of [{ durability: 'full', syncEvery: false }, { syncEvery: false }]) {
    const store = freshStore(t, options)
    const v = store.vector('integer', [1, 2, 3], { name: 'v' })
    store.syncNow()
    v.seal()
    if (options.durability === undefined) {
      t.false(open(t, crashed(t, store.path)).get('v').sealed)
      await v.sync()
    }
    const after = open(t, crashed(t, store.path))
    t.true(after.get('v').sealed)
    t.true(after.verify({ payloads: true }).ok)
  }
})

test('a scratch vector is sealed as long as it lives', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const v = store.vector('integer', [1, 2], { name: 'v' }).seal()
  refuses(t, () => v.set(0, 2), 'SEALED')
  t.true(store.get('v').sealed)
  t.true(store.verify({ payloads: true }).ok)
})

/** A closed store whose sealed vectors `a` and `b` have one wrong byte each, and `c` none; the offsets of their blocks. */
function damaged(t) {
  const store = freshStore(t)
  const places = {}
  for (const name of ['a', 'b', 'c']) {
    const v = store.vector('numeric', 150_000, { name }).seal()
    places[name] = store.allocations().find(r => r.name === name).payloadOffset
    t.true(v.sealed)
  }
  store.close()
  const fd = fs.openSync(store.path, 'r+')
  fs.writeSync(fd, Buffer.from([1]), 0, 1, places.a + 3)
  fs.writeSync(fd, Buffer.from([1]), 0, 1, places.b + 1024 * 1024 + 3)
  fs.closeSync(fd)
  return { file: store.path, offsets: [places.a, places.b + 1024 * 1024] }
}

test('verify names every damaged block of sealed elements, with record and offset', async t => {
  const { file, offsets } = damaged(t)
  const store = open(t, file)
  t.true(store.verify().ok)
  t.true(store.verify({ payloads: false }).ok)
  const report = store.verify({ payloads: true })
  t.false(report.ok)
  t.deepEqual(
    report.faults.map(f => [f.where, f.offset, f.id]),
    [
      ['payload', offsets[0], 0],
      ['payload', offsets[1], 1],
    ],
  )
  t.regex(report.faults[1].what, /block 1 of 2.*checksum/)
  t.deepEqual(await store.verifyAsync({ payloads: true }), report)
  t.true((await store.verifyAsync()).ok)
})

test('verifyAsync counts records, then bytes, and ends at the total', async t => {
  const store = freshStore(t)
  for (let i = 0; i < 50; i++) store.vector('integer', [i])
  store.vector('numeric', 2 ** 20).seal()
  const steps = []
  t.true((await store.verifyAsync({ payloads: true, onProgress: p => steps.push(p) })).ok)
  t.deepEqual(steps.at(-1), { done: 2 ** 23, total: 2 ** 23, unit: 'bytes' })
  const records = []
  await store.verifyAsync({ onProgress: p => records.push(p) })
  t.deepEqual(records.at(-1), { done: 51, total: 51, unit: 'records' })
})

test('verifyAsync ends with the reason of its signal, and with what onProgress throws', async t => {
  const store = freshStore(t)
  const v = store.vector('numeric', 2 ** 24)
  v.seal()
  const reason = new Error('enough')
  const controller = new AbortController()
  const late = store.verifyAsync({ payloads: true, signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(deadline('abort', late)), reason)
  const early = store.verifyAsync({ signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(early), reason)
  const mine = new Error('mine')
  const thrown = store.verifyAsync({
    payloads: true,
    onProgress: () => {
      throw mine
    },
  })
  t.is(await t.throwsAsync(deadline('onProgress', thrown)), mine)
  t.true(v.destroy())
})

test('a store closed while it is being verified is an error, not a crash', async t => {
  for (let i = 0; i < 10; i++) {
    const store = freshStore(t)
    store.vector('numeric', 2 ** 20).seal()
    const report = store.verifyAsync({ payloads: true })
    if (i % 2 === 1) await new Promise(resolve => setImmediate(resolve))
    store.close()
    const end = await report.then(
      r => r.ok,
      e => e.code,
    )
    t.true(end === true || end === 'ERR_FMALLOC_CLOSED', String(end))
  }
  await rejects(t, () => freshStore(t).verifyAsync({ payloads: 1 }), 'ARGUMENT')
})
