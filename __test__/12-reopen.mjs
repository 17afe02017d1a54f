// Reopening: what was committed is there with its name, type, length and bits; what was not, is not. One file, opened again and again.

import fs from 'node:fs'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { content, sameBits, TYPES } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

function reopened(t, store) {
  store.close()
  return open(t, store.path)
}

for (const type of Object.keys(TYPES)) {
  for (const length of [0, 1, 7, 100_003]) {
    test(`${type} [${length}] comes back bit for bit`, t => {
      const bits = content(type, length, length + 1)
      const store = freshStore(t)
      store.vector(type, bits, { name: 'v' })
      const v = reopened(t, store).getVector('v')
      t.is(v.type, type)
      t.is(v.length, length)
      t.is(v.nbytes, length * TYPES[type].width)
      t.true(sameBits(v.toTypedArray(), bits))
      t.is(v.state, 'committed')
    })
  }
}

test('another process finds what this one left', async t => {
  const store = freshStore(t)
  store.vector('numeric', [1.5, null, NaN, -0], { name: 'v' })
  store.close()
  const found = await inChild(
    t,
    ({ fm, args }) => {
      const v = fm.openFmalloc(args.file, { readOnly: true }).getVector('v', 'numeric')
      return [v.get(0), v.get(1), Number.isNaN(v.get(2)), Object.is(v.get(3), -0)]
    },
    { file: store.path },
  )
  t.deepEqual(found, [1.5, null, true, true])
})

test('changes through set, fill, write and a view are kept', t => {
  const store = freshStore(t)
  for (const name of ['set', 'fill', 'write', 'view']) store.vector('integer', [1, 2, 3], { name })
  store.getVector('set').set(1, 20)
  store.getVector('fill').fill(7)
  store.getVector('write').write([8, 9], 1)
  store.getVector('view').view()[2] = 30
  const again = reopened(t, store)
  const values = ['set', 'fill', 'write', 'view'].map(name => again.getVector(name).toArray())
  t.deepEqual(values, [
    [1, 20, 3],
    [7, 7, 7],
    [1, 8, 9],
    [1, 2, 30],
  ])
})

test('a later change of elements alone is kept too', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  const second = reopened(t, store)
  second.getVector('v').view()[0] = 11
  const third = reopened(t, second)
  t.deepEqual(third.getVector('v').toArray(), [11, 2, 3])
})

test('keys go by creation, the same after reopening, and a rename does not move a key', t => {
  const store = freshStore(t)
  for (const name of ['zebra', 'apple', 'mango']) store.vector('integer', [1], { name })
  store.set('aardvark', store.getVector('mango'))
  store.vector('integer', [1], { name: 'zebra', replace: true })
  const order = [...store.keys()]
  t.deepEqual(order, ['apple', 'aardvark', 'zebra'])
  t.deepEqual([...reopened(t, store).keys()], order)
})

test('names of every kind come back', t => {
  const names = [
    'a',
    'naïve',
    '数据',
    '🦔',
    'with space',
    'new\nline',
    'nul\0nul',
    '__proto__',
    'constructor',
    'x'.repeat(4096),
    '👍'.repeat(1024),
    ' ',
  ]
  const store = freshStore(t)
  for (const [i, name] of names.entries()) store.vector('integer', [i], { name })
  const again = reopened(t, store)
  t.deepEqual([...again.keys()], names)
  for (const [i, name] of names.entries()) t.is(again.getVector(name).get(0), i)
  t.false(again.has('hasOwnProperty'))
})

test('a store that nobody asked for names knows after its close how many there were', t => {
  const store = freshStore(t)
  for (let i = 0; i < 100; i++) store.vector('integer', [i], { name: `n${i}` })
  store.vector('integer', [1])
  store.delete('n5')
  const again = reopened(t, store)
  t.is(store.size, 99)
  again.close()
  t.is(again.size, 99)
})

test('a temporary is gone after reopening and its space is free again', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' }).copy()
  t.is(store.allocations().length, 1)
  const again = reopened(t, store)
  t.deepEqual([...again.keys()], ['v'])
  t.is(again.allocations().length, 1)
})

test('a kept temporary comes back', t => {
  const store = freshStore(t)
  const kept = store.vector('integer', [1, 2, 3], { name: 'v' }).copy().keep('w')
  kept.set(0, 5)
  t.deepEqual(reopened(t, store).getVector('w').toArray(), [5, 2, 3])
})

test('what was destroyed or deleted stays away', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'a' }).destroy()
  store.vector('integer', [1], { name: 'b' })
  store.vector('integer', [1], { name: 'c' })
  store.syncNow()
  store.delete('b')
  const again = reopened(t, store)
  t.deepEqual([...again.keys()], ['c'])
  t.is(again.get('a'), undefined)
  t.false(again.has('b'))
})

test('a replaced name holds the new contents', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.vector('numeric', [2.5, 3.5], { name: 'v', replace: true })
  const v = reopened(t, store).getVector('v', 'numeric')
  t.deepEqual(v.toArray(), [2.5, 3.5])
})

test('an unnamed vector of a constructor stays in the file and is found by its ref', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3])
  const again = reopened(t, store)
  t.is(again.size, 0)
  t.is(again.allocations().filter(({ state }) => state === 'committed').length, 1)
})

test('a scratch store begins empty each time', t => {
  const file = freshPath(t)
  const store = open(t, file, { mode: 'scratch' })
  store.vector('integer', [1], { name: 'v' })
  t.is(store.getVector('v').get(0), 1)
  store.close()
  const again = open(t, file, { mode: 'scratch' })
  t.is(again.size, 0)
  t.is(again.get('v'), undefined)
})

test('read-only: everything reads, nothing structural is allowed, element writes are refused', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  const before = fs.readFileSync(store.path)
  const ro = open(t, store.path, { readOnly: true })
  const v = ro.getVector('v', 'integer')
  t.true(ro.readOnly)
  t.deepEqual(v.toArray(), [1, 2, 3])
  t.deepEqual([...v.view()], [1, 2, 3])
  refuses(t, () => ro.vector('integer', 1), 'READ_ONLY')
  refuses(t, () => v.set(0, 1), 'READ_ONLY')
  refuses(t, () => v.fill(1), 'READ_ONLY')
  refuses(t, () => v.write([1]), 'READ_ONLY')
  refuses(t, () => v.destroy(), 'READ_ONLY')
  refuses(t, () => ro.delete('v'), 'READ_ONLY')
  refuses(t, () => ro.set('w', v), 'READ_ONLY')
  refuses(t, () => ro.allocate(8), 'READ_ONLY')
  t.true(ro.verify().ok)
  ro.close()
  t.true(fs.readFileSync(store.path).equals(before))
})

test('a stray write through a read-only view neither kills nor reaches the file', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  const ro = open(t, store.path, { readOnly: true })
  const xs = ro.getVector('v', 'integer').view()
  xs[0] = 99
  t.is(xs[0], 99)
  t.true(ro.verify().ok)
  ro.close()
  t.deepEqual(open(t, store.path).getVector('v').toArray(), [1, 2, 3])
})

test('results from a read-only store find another home', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  const ro = open(t, store.path, { readOnly: true })
  const other = freshStore(t)
  const copy = ro.getVector('v').copy({ into: other, name: 'w' })
  t.is(copy.store, other)
  t.deepEqual(other.getVector('w').toArray(), [1, 2, 3])
  const loose = ro.getVector('v').slice(1)
  t.deepEqual(loose.toArray(), [2, 3])
  t.not(loose.store, ro)
})

test('a file that was copied elsewhere is the same store', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  store.close()
  const copy = freshPath(t, 'copy.fm')
  fs.copyFileSync(store.path, copy)
  const there = open(t, copy)
  t.is(there.uuid, store.uuid)
  t.deepEqual(there.getVector('v').toArray(), [1, 2, 3])
})

test('sync makes a copy of the file complete while the store is open', async t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'v' })
  await store.sync()
  const copy = freshPath(t, 'copy.fm')
  fs.copyFileSync(store.path, copy)
  const there = open(t, copy, { readOnly: true })
  t.deepEqual(there.getVector('v').toArray(), [1, 2, 3])
  t.true(there.verify().ok)
})

test('many rounds of open, change, close on one file keep its contents and do not let it grow', t => {
  const file = freshPath(t)
  // The largest of the first rounds: the vector moves to and fro between two places, and close cuts off a free end.
  let size = 0
  for (let round = 0; round < 60; round++) {
    const store = openFmalloc(file)
    if (round > 0) t.is(store.getVector('v').get(0), round - 1)
    store.vector('integer', 50_000, { name: 'v', replace: true }).set(0, round)
    t.true(store.verify().ok)
    store.close()
    if (round < 6) size = Math.max(size, fs.statSync(file).size)
    else t.true(fs.statSync(file).size <= size, `round ${round}: the space of replaced vectors is used again`)
  }
})

test('five thousand small named vectors come back, and verify finds nothing', t => {
  const store = freshStore(t)
  for (let i = 0; i < 5000; i++) store.vector('numeric', [i, i + 0.5], { name: `v${i}` })
  const again = reopened(t, store)
  t.is(again.size, 5000)
  let wrong = 0
  for (let i = 0; i < 5000; i++) if (again.getVector(`v${i}`).get(1) !== i + 0.5) wrong++
  t.is(wrong, 0)
  t.deepEqual(again.verify(), { ok: true, faults: [] })
})
