// The user's attributes: JSON under a key, kept with the object. What goes in comes out in another process; what cannot is refused.

import test from 'ava'
import { createMmapVector } from '../dist/index.js'
import { inChild } from './helpers/child.mjs'
import { fileWith, freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

const VALUES = {
  text: 'kg',
  '': 'an empty text as value, not as key',
  number: -1.5,
  zero: 0,
  no: false,
  list: [1, 'a', null, { deep: [true] }],
  object: { a: 1, b: null },
  'key with ü, 💡 and "quotes"': 'ü💡"\u0000',
}
delete VALUES['']

for (const mode of ['persistent', 'scratch']) {
  test(`${mode}: every JSON value comes back as it was`, t => {
    const v = freshStore(t, { mode }).vector('integer', 3, { name: 'v' })
    for (const [key, value] of Object.entries(VALUES)) t.is(v.setAttribute(key, value), v)
    for (const [key, value] of Object.entries(VALUES)) t.deepEqual(v.getAttribute(key), value, key)
    t.is(v.getAttribute('none'), undefined)
    v.setAttribute('text', 'g')
    t.is(v.getAttribute('text'), 'g')
    v.setAttribute('text', null).setAttribute('number', undefined).setAttribute('none', null)
    t.is(v.getAttribute('text'), undefined)
    t.is(v.getAttribute('number'), undefined)
    t.deepEqual(v.getAttribute('list'), VALUES.list)
  })
}

test('attributes come back in another process', async t => {
  const store = freshStore(t)
  const v = store.vector('numeric', 3, { name: 'v' })
  for (const [key, value] of Object.entries(VALUES)) v.setAttribute(key, value)
  store.close()
  const found = await inChild(
    t,
    ({ fm, args }) => {
      const v = fm.openFmalloc(args.file, { readOnly: true }).getVector('v')
      return args.keys.map(key => v.getAttribute(key))
    },
    { file: store.path, keys: Object.keys(VALUES) },
  )
  t.deepEqual(found, Object.values(VALUES))
})

test('those of a temporary are committed with it', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2]).setAttribute('unit', 'kg')
  const copy = v.copy()
  t.is(copy.state, 'temporary')
  t.is(copy.getAttribute('unit'), 'kg')
  copy.setAttribute('unit', 'g').keep('copy')
  t.is(store.get('copy').getAttribute('unit'), 'g')
  t.is(v.getAttribute('unit'), 'kg')
  t.is(v.slice().getAttribute('unit'), undefined, 'a slice is a part, as in R')
  t.is(v.as('numeric').getAttribute('unit'), undefined)
})

test('a change is seen by every handle of every thread', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', 1, { name: 'v' })
  const { run } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.v = fm.openRef(args.ref)
      return keep.v.getAttribute('n')
    },
    { ref: v.ref },
  )
  v.setAttribute('n', 1)
  t.is(await run(({ keep }) => keep.v.getAttribute('n')), 1)
  await run(({ keep }) => void keep.v.setAttribute('n', 2))
  t.is(v.getAttribute('n'), 2)
  await run(({ keep }) => void keep.v.destroy())
  refuses(t, () => v.getAttribute('n'), 'DESTROYED')
})

test('what has no JSON form, a bad key and too much are refused, and nothing changes', t => {
  const store = freshStore(t)
  const v = store.vector('integer', 1).setAttribute('a', 1)
  const loop = {}
  loop.loop = loop
  for (const value of [() => 1, Symbol('s'), 1n, loop]) refuses(t, () => v.setAttribute('a', value), 'VALUE')
  for (const key of ['', 'x'.repeat(256), 'ü'.repeat(128), 5, undefined, null])
    refuses(t, () => v.setAttribute(key, 1), 'ARGUMENT')
  refuses(t, () => v.setAttribute('\ud800', 1), 'ENCODING')
  refuses(t, () => v.getAttribute(5), 'ARGUMENT')
  refuses(t, () => v.setAttribute('big', 'x'.repeat(600_000)), 'TOO_LARGE')
  t.is(v.getAttribute('a'), 1)
  t.is(v.getAttribute('big'), undefined)
  v.setAttribute('ü'.repeat(127), 'x'.repeat(400_000))
  t.is(v.getAttribute('ü'.repeat(127)).length, 400_000)
})

test('a subarray, a dead vector, a plain file and a read-only store take none', t => {
  const store = freshStore(t)
  const v = store.vector('integer', 3)
  refuses(t, () => v.subarray(1).setAttribute('a', 1), 'ARGUMENT')
  t.is(v.subarray(1).getAttribute('a'), undefined)
  v.destroy()
  refuses(t, () => v.setAttribute('a', 1), 'DESTROYED')
  const file = createMmapVector(fileWith(t, new Uint8Array(8), 'plain'))
  refuses(t, () => file.setAttribute('a', 1), 'UNSUPPORTED')
  refuses(t, () => file.reshape([2, 1]), 'UNSUPPORTED')
  t.is(file.getAttribute('a'), undefined)
  t.deepEqual([file.dim, file.names, file.kind], [null, null, 'vector'])
})

test('a value whose toJSON throws leaves everything as it was', t => {
  const v = freshStore(t).vector('integer', 1)
  const evil = {
    toJSON() {
      v.setAttribute('b', 2)
      throw new Error('no')
    },
  }
  refuses(t, () => v.setAttribute('a', evil), 'VALUE', /no/)
  t.is(v.getAttribute('a'), undefined)
  t.is(v.getAttribute('b'), 2)
})

test('sealed elements: the attributes may still change', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3, 4], { name: 'v' }).seal()
  v.setAttribute('a', 1)
  const X = v.reshape([2, 2])
  t.deepEqual([v.getAttribute('a'), v.sealed, X.get(1, 1)], [1, true, 4])
  refuses(t, () => X.set(0, 0, 5), 'SEALED')
  t.true(store.verify({ payloads: true }).ok)
})

test('equals compares attributes in any order', t => {
  const store = freshStore(t)
  const [a, b] = [store.vector('integer', [1]), store.vector('integer', [1])]
  a.setAttribute('x', 1).setAttribute('y', 2)
  t.false(a.equals(b))
  b.setAttribute('y', 2).setAttribute('x', 1)
  t.true(a.equals(b))
  b.setAttribute('x', 3)
  t.false(a.equals(b))
})
