// R's names and dimnames: parts of an object that are vectors of their own. Writing one changes the names; they come back with their owner, follow
// its parts and copies, die with it, and what is refused changes nothing.

import test from 'ava'
import { asFmallocMatrix, createFmallocArray, createFmallocMatrix, Matrix, openRef } from '../dist/index.js'
import { inChild } from './helpers/child.mjs'
import { freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

const ABC = ['a', null, 'longer than twelve bytes: ü💡']
const ROWS = ['r0', 'r1']
const COLUMNS = ['x', '', null]

function named(store, o = {}) {
  return store.vector('integer', [1, 2, 3], { names: ABC, ...o })
}

function matrix(store, o = {}) {
  return store.matrix('integer', [2, 3], { values: [1, 2, 3, 4, 5, 6], dimnames: [ROWS, COLUMNS], ...o })
}

const texts = part => part?.toArray() ?? null
const allTexts = dimnames => dimnames?.map(texts) ?? null

// ---- names

for (const mode of ['persistent', 'scratch']) {
  test(`${mode}: names are a vector that shares`, t => {
    const store = freshStore(t, { mode })
    const v = named(store, { name: 'v' })
    t.deepEqual([v.names.type, texts(v.names)], ['character', ABC])
    t.is(v.names, v.names, 'the same object each time')
    v.names.set(1, 'second')
    t.is(v.names.get(1), 'second')
    v.setNames(['x', 'y', 'z'])
    t.deepEqual(texts(v.names), ['x', 'y', 'z'])
    t.is(v.setNames(null), v)
    t.is(v.names, null)
    v.setNames(null)
    t.deepEqual(v.toArray(), [1, 2, 3])
    t.deepEqual(texts(store.vector('numeric', 0, { names: [] }).names), [])
  })

  test(`${mode}: names given as a vector are copied, not taken`, t => {
    const store = freshStore(t, { mode })
    const given = store.vector('character', ABC)
    const v = store.vector('integer', [1, 2, 3], { names: given })
    given.set(0, 'changed')
    t.deepEqual(texts(v.names), ABC)
    v.setNames(given.subarray(0, 3))
    v.names.set(0, 'again')
    t.is(given.get(0), 'changed')
    v.setNames(v.names)
    t.is(v.names.get(0), 'again', 'its own names, too')
    t.is(given.state, 'committed')
  })
}

test('names and dimnames come back in another process', async t => {
  const store = freshStore(t)
  named(store, { name: 'v' })
  matrix(store, { name: 'X' })
  store.array('numeric', [1, 2, 2], { name: 'A', dimnames: [null, null, ['p', 'q']] })
  store.close()
  const found = await inChild(
    t,
    ({ fm, args }) => {
      const s = fm.openFmalloc(args.file, { readOnly: true })
      const texts = part => part?.toArray() ?? null
      const [v, X, A] = ['v', 'X', 'A'].map(name => s.get(name))
      let code
      try {
        v.setNames(null)
      } catch (e) {
        code = e.code
      }
      return [texts(v.names), X.dimnames.map(texts), A.dimnames.map(texts), X.names, code, s.verify().ok]
    },
    { file: store.path },
  )
  t.deepEqual(found, [ABC, [ROWS, COLUMNS], [null, null, ['p', 'q']], null, 'ERR_FMALLOC_READ_ONLY', true])
})

test('the names of a subarray are a subarray of the names; a slice and a copy have their own', t => {
  const store = freshStore(t)
  const v = named(store)
  const part = v.subarray(1)
  t.deepEqual(texts(part.names), ABC.slice(1))
  part.names.set(0, 'shared')
  t.is(v.names.get(1), 'shared')
  t.deepEqual(texts(part.subarray(1).names), ABC.slice(2))
  t.deepEqual(texts(v.subarray(3).names), [])
  const slice = v.slice(0, 2)
  t.deepEqual(texts(slice.names), ['a', 'shared'])
  slice.names.set(0, 'its own')
  t.is(v.names.get(0), 'a')
  const copy = v.copy({ name: 'copy' })
  t.deepEqual(texts(copy.names), texts(v.names))
  copy.names.set(0, 'its own')
  t.is(v.names.get(0), 'a')
  t.deepEqual(texts(part.copy().names), texts(part.names))
  t.is(v.as('numeric').names, null)
  refuses(t, () => part.setNames(['a', 'b']), 'ARGUMENT')
})

test('a copy into another store takes its names along', t => {
  const v = named(freshStore(t))
  const copy = v.copy({ into: freshStore(t) })
  v.destroy()
  t.deepEqual(texts(copy.names), ABC)
})

test('refused names change nothing and leave nothing', t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  const X = matrix(store)
  const before = store.allocations().length
  for (const act of [names => v.setNames(names), names => store.vector('integer', [1, 2, 3], { names })]) {
    refuses(
      t,
      () => act(['a']),
      'LENGTH',
      /'names' attribute \[1\] must be the same length as the vector \[3\]/,
    )
    refuses(t, () => act(['a', 'b', 'c', 'd']), 'LENGTH')
    refuses(t, () => act(['a', undefined, 'c']), 'VALUE')
    // A hole is undefined.
    // oxlint-disable-next-line no-sparse-arrays
    refuses(t, () => act(['a', , 'c']), 'VALUE')
    refuses(t, () => act(['a', 'b', 'lone \ud800']), 'ENCODING')
    refuses(t, () => act([1, 2, 3]), 'TYPE')
    refuses(t, () => act('abc'), 'TYPE')
    refuses(t, () => act(store.vector('integer', 3)), 'TYPE')
    refuses(t, () => act(freshStore(t).vector('character', ABC)), 'OTHER_STORE')
    const dead = store.vector('character', ABC)
    dead.destroy()
    refuses(t, () => act(dead), 'DESTROYED')
  }
  refuses(t, () => X.setDimnames([['a'], null]), 'DIM')
  refuses(t, () => X.setDimnames([null]), 'DIM')
  refuses(t, () => X.setDimnames([ROWS, ['a', undefined, 'c']]), 'VALUE')
  refuses(t, () => X.setDimnames([freshStore(t).vector('character', ROWS), null]), 'OTHER_STORE')
  refuses(t, () => X.setDimnames('ab'), 'ARGUMENT')
  t.deepEqual([texts(v.names), allTexts(X.dimnames)], [ABC, [ROWS, COLUMNS]])
  const live = () => store.allocations().filter(row => row.state === 'committed').length
  t.is(live(), before + 2, 'the two vectors that are no text')
  t.is(store.diagnose().summary.temporaries, 0)
})

test('names live and die with their owner, and are no object of their own', t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  const { names } = v
  for (const act of [
    () => names.keep('names'),
    () => names.destroy(),
    () => store.set('names', names),
    () => store.list([names]),
    () => names.setNames(['x', 'y', 'z']),
    () => names.setAttribute('a', 1),
    () => names.reshape([3, 1]),
  ])
    refuses(t, act, 'BUSY')
  t.deepEqual([...store.keys()], ['v'])
  t.is(names.state, 'committed')
  v.setNames(['x', 'y', 'z'])
  t.is(names.state, 'destroyed', 'other names: the old ones are gone')
  refuses(t, () => names.get(0), 'DESTROYED')
  const now = v.names
  v.destroy()
  t.is(now.state, 'destroyed')
  t.is(v.names, null)
  t.is(store.diagnose().summary.temporaries, 0)
})

test('renaming over and over takes no space for good', t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  for (let i = 0; i < 50; i++) v.setNames(ABC)
  store.syncNow()
  const { nbytes } = store
  for (let k = 0; k < 20; k++) {
    for (let i = 0; i < 50; i++) v.setNames(ABC)
    store.syncNow()
  }
  t.true(store.nbytes <= nbytes + 2 ** 20, `${store.nbytes} after ${nbytes}`)
  t.true(store.verify().ok)
  t.deepEqual(texts(v.names), ABC)
})

test('a temporary with names is committed with them; tidy frees both or neither', t => {
  const store = freshStore(t)
  const v = named(store)
  let lost
  const kept = store.tidy(() => {
    lost = v.copy()
    lost.setNames(['l', 'm', 'n'])
    return v.copy()
  })
  t.is(lost.state, 'destroyed')
  t.deepEqual(texts(kept.names), ABC)
  const { names } = kept
  kept.keep('kept')
  t.is(kept.names, names, 'the same facade after the commit')
  t.is(names.set(0, 'late').get(0), 'late')
  t.is(store.diagnose().summary.temporaries, 0)
})

// The names of a temporary died when nobody could reach the temporary any more, though somebody held the names.
test('names keep a temporary alive that nobody holds', async t => {
  const store = freshStore(t)
  const reachable = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const s = fm.openFmalloc(args.file)
      const v = s.vector('integer', [1, 2, 3], { names: args.names })
      const held = v.copy().names
      const part = s
        .matrix('integer', [3, 1], { dimnames: [args.names, null] })
        .copy()
        .column(0)
        .names.subarray(1)
      await collect()
      for (let i = 0; i < 10; i++) v.copy()
      await collect()
      return [held.toArray(), part.toArray()]
    },
    { file: `${store.path}.other`, names: ABC },
  )
  t.deepEqual(reachable, [ABC, ABC.slice(1)])
})

test('another thread sees other names at its next use, and writes them', async t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  const { run } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.v = fm.openRef(args.ref)
      keep.names = keep.v.names
    },
    { ref: v.ref },
  )
  v.setNames(['x', 'y', 'z'])
  const seen = await run(({ keep }) => {
    const { state } = keep.names
    keep.v.names.set(0, 'from there')
    return [state, keep.v.names.toArray()]
  })
  t.deepEqual(seen, ['destroyed', ['from there', 'y', 'z']])
  t.is(v.names.get(0), 'from there')
  await run(({ keep }) => void keep.v.setNames(null))
  t.is(v.names, null)
})

test('equals compares names, missing ones included', t => {
  const store = freshStore(t)
  const v = named(store)
  t.true(v.equals(named(store)))
  t.true(v.equals(v.copy()))
  t.false(v.equals(store.vector('integer', [1, 2, 3])))
  t.false(v.equals(store.vector('integer', [1, 2, 3], { names: ['a', 'NA', ABC[2]] })))
  const X = matrix(store)
  t.true(X.equals(matrix(store)))
  t.false(X.equals(matrix(store, { dimnames: [ROWS, null] })))
  t.false(X.equals(matrix(store, { dimnames: [ROWS, ['x', '', 'z']] })))
})

// ---- dimnames

test('dimnames are given at creation or later, as arrays or vectors, wholly or in part', t => {
  const store = freshStore(t)
  const X = matrix(store, { name: 'X' })
  t.deepEqual(allTexts(X.dimnames), [ROWS, COLUMNS])
  t.is(X.dimnames[0], X.dimnames[0])
  X.dimnames[0].set(1, 'changed')
  t.deepEqual(texts(X.dimnames[0]), ['r0', 'changed'])
  t.is(X.setDimnames([null, store.vector('character', ['p', 'q', 'r'])]), X)
  t.deepEqual(allTexts(X.dimnames), [null, ['p', 'q', 'r']])
  t.is(X.setDimnames([null, null]).dimnames, null)
  X.setDimnames([ROWS, null])
  t.is(X.setDimnames(null).dimnames, null)
  t.is(X.setDimnames([]).dimnames, null)
  t.is(X.setDimnames([[], null]).dimnames, null, 'none, as in R')
  t.deepEqual(X.toArray(), [1, 2, 3, 4, 5, 6])
  t.throws(() => X.setDimnames([ROWS, null]).dimnames.push(null), { instanceOf: TypeError })
})

test("a column's names are the row names, a row's the column names, and both are found by name", t => {
  const store = freshStore(t)
  const X = matrix(store, { dimnames: [ROWS, ['x', 'x', 'y']] })
  t.deepEqual(texts(X.column(1).names), ROWS)
  t.deepEqual(X.column('x').toArray(), [1, 2], 'the first of equal names, as in R')
  t.deepEqual(X.column('y').toArray(), [5, 6])
  const row = X.row('r1')
  t.deepEqual(
    [row.toArray(), texts(row.names)],
    [
      [2, 4, 6],
      ['x', 'x', 'y'],
    ],
  )
  t.deepEqual(texts(X.column(0).subarray(1).names), ['r1'])
  X.column(0).names.set(0, 'first')
  t.is(X.dimnames[0].get(0), 'first')
  t.is(X.subarray(0, 2).names, null)
  refuses(t, () => X.column('z'), 'OUT_OF_BOUNDS', /no column named "z"/)
  refuses(t, () => X.row('z'), 'OUT_OF_BOUNDS', /no row named "z"/)
  const Y = matrix(store)
  refuses(t, () => Y.column(''), 'OUT_OF_BOUNDS', /no column named ""/)
  refuses(t, () => Y.setDimnames([null, ['a', 'b', 'c']]).row('r0'), 'OUT_OF_BOUNDS')
})

test('a range of columns has its part of the column names, until the object is reshaped', t => {
  const store = freshStore(t)
  const X = matrix(store, { dimnames: [ROWS, ['x', 'y', 'z']] })
  const W = X.columns(1)
  t.deepEqual(allTexts(W.dimnames), [ROWS, ['y', 'z']])
  t.deepEqual(W.column('z').toArray(), [5, 6])
  t.deepEqual(texts(W.row(0).names), ['y', 'z'])
  t.deepEqual(allTexts(W.copy().dimnames), [ROWS, ['y', 'z']])
  t.deepEqual(allTexts(W.columns(1).dimnames), [ROWS, ['z']])
  X.reshape([3, 2], [['p', 'q', 'r'], null])
  t.is(W.dimnames, null)
  t.is(W.column(0).names?.length ?? 2, 2)
})

test('transpose and copies take dimnames along', t => {
  const store = freshStore(t)
  const X = matrix(store)
  X.setAttribute('unit', 'kg')
  const T = X.transpose({ name: 'T' })
  t.deepEqual(allTexts(T.dimnames), [COLUMNS, ROWS])
  t.is(T.getAttribute('unit'), 'kg')
  t.true(T.transpose().equals(X))
  t.deepEqual(allTexts(X.copy().dimnames), [ROWS, COLUMNS])
})

test('reshape drops names, as in R, and takes new dimnames', t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  v.setAttribute('unit', 'kg')
  const X = v.reshape([3, 1], [ABC, null])
  t.deepEqual([v.names, allTexts(X.dimnames)], [null, [ABC, null]])
  t.is(X.getAttribute('unit'), 'kg')
  t.is(X.reshape([1, 3]).dimnames, null)
  X.setNames(['a', 'b', 'c'])
  t.deepEqual(texts(v.names), ['a', 'b', 'c'], "a matrix's elements may have names, too")
})

test('names of an array with one extent are its dimnames, as in R', t => {
  const store = freshStore(t)
  const A = store.array('integer', [3], { dimnames: [ABC] })
  t.deepEqual([texts(A.names), allTexts(A.dimnames)], [ABC, [ABC]])
  A.setNames(['x', 'y', 'z'])
  t.deepEqual(allTexts(A.dimnames), [['x', 'y', 'z']])
  t.deepEqual(allTexts(A.copy().dimnames), [['x', 'y', 'z']])
  t.deepEqual(texts(A.slice(1).names), ['y', 'z'])
  t.is(A.setNames(null).dimnames, null)
})

/** A part of an array with one extent had no names, while the array itself had. And names for no elements were a part, unlike R's. */
test('a part of an array with one extent has its part of the names; no elements have none', t => {
  const store = freshStore(t)
  const x = store.array('integer', [3], { values: [1, 2, 3], dimnames: [ABC] })
  t.deepEqual(x.subarray(1).names.toArray(), ABC.slice(1))
  t.deepEqual(x.subarray().names.toArray(), ABC)
  t.deepEqual(x.subarray(1).subarray(1).names.toArray(), ABC.slice(2))
  t.deepEqual(x.slice(1).names.toArray(), ABC.slice(1))
  x.names.set(1, 'now')
  t.is(x.subarray(1).names.get(0), 'now')
  const empty = store.array('integer', [0]).setNames([])
  t.deepEqual([empty.names, empty.dimnames], [null, null])
})

test('a matrix of text: column, row, transpose', t => {
  const store = freshStore(t)
  const long = 'much longer than twelve bytes'
  const values = ['a', null, '', long, `${long} 💡`, 'NA']
  const X = store.matrix('character', [2, 3], { values, name: 'X', dimnames: [ROWS, COLUMNS] })
  t.true(X instanceof Matrix)
  t.is(X.get(1, 1), long)
  t.deepEqual(X.column(1).toArray(), ['', long])
  t.deepEqual(X.row(1).toArray(), [null, long, 'NA'])
  const T = X.transpose({ name: 'T' })
  t.deepEqual(T.toArray(), ['a', '', `${long} 💡`, null, long, 'NA'])
  t.deepEqual(allTexts(T.dimnames), [COLUMNS, ROWS])
  t.true(T.transpose().equals(X))
  X.set(1, 1, 'b')
  t.is(T.get(1, 1), long)
  t.deepEqual(X.columns(1).transpose().toArray(), ['', `${long} 💡`, 'b', 'NA'])
  t.true(store.verify().ok)
})

// ---- the R-named functions, references, upkeep

test('the R-named functions take dimnames in their place or in options', t => {
  const runtime = freshStore(t)
  const X = createFmallocMatrix('integer', 2, 3, [ROWS, null], runtime)
  t.deepEqual(allTexts(X.dimnames), [ROWS, null])
  const A = createFmallocArray('integer', [1, 2], { runtime, dimnames: [null, ['p', 'q']] })
  t.deepEqual(allTexts(A.dimnames), [null, ['p', 'q']])
  const v = runtime.vector('integer', [1, 2], { names: ['a', 'b'] })
  t.deepEqual(allTexts(asFmallocMatrix(v, null, 1, [['p', 'q'], null]).dimnames), [['p', 'q'], null])
  t.deepEqual(texts(v.names), ['a', 'b'])
  t.deepEqual(allTexts(asFmallocMatrix(v, { dimnames: [ROWS, null], copy: false }).dimnames), [ROWS, null])
  t.is(v.names, null)
})

test('a reference to names opens them in another thread', async t => {
  const store = freshStore(t)
  const v = named(store, { name: 'v' })
  t.is(openRef(v.names.ref), v.names)
  const { run } = thread(t)
  const there = await run(({ fm, args }) => fm.openRef(args.ref).toArray(), { ref: v.names.ref })
  t.deepEqual(there, ABC)
})

test('names survive compaction, a dense copy and a replacement', async t => {
  const store = freshStore(t)
  const gap = store.vector('numeric', 1e5)
  const v = named(store, { name: 'v' })
  matrix(store, { name: 'X' })
  gap.destroy()
  store.syncNow()
  store.compact()
  t.deepEqual(texts(v.names), ABC)
  const path = `${store.path}.copy`
  await store.compactTo(path)
  const copy = open(t, path)
  t.deepEqual(texts(copy.get('v').names), ABC)
  t.deepEqual(allTexts(copy.get('X').dimnames), [ROWS, COLUMNS])
  t.true(copy.verify().ok)
  store.vector('integer', [7], { name: 'v', replace: true, names: ['only'] })
  t.deepEqual([v.state, texts(store.get('v').names)], ['destroyed', ['only']])
})

test('a taken name is refused before the names are made', t => {
  const store = freshStore(t)
  named(store, { name: 'v' })
  const before = store.allocations().length
  refuses(t, () => named(store, { name: 'v' }), 'EXISTS')
  refuses(t, () => matrix(store, { name: 'v' }), 'EXISTS')
  t.is(store.allocations().length, before)
  t.is(store.diagnose().summary.temporaries, 0)
})
