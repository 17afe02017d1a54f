// Matrices and arrays: elements by position, columns that share and rows that do not, reshaping under living handles, bad extents. Names along
// the extents have their own file, 42-names.

import util from 'node:util'
import test from 'ava'
import { Matrix, NdArray, openRef, transpose, Vector } from '../dist/index.js'
import { content, sameBits, TYPES } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'
import { thread } from './helpers/thread.mjs'

const SIX = [1, 2, 3, 4, 5, 6]

function sixes(store, name) {
  return store.matrix('integer', [2, 3], { values: SIX, ...(name && { name }) })
}

// ---- made and found again

for (const mode of ['persistent', 'scratch']) {
  test(`${mode}: a matrix is column-major, and found as one`, t => {
    const store = freshStore(t, { mode })
    const X = sixes(store, 'X')
    t.true(X instanceof Matrix && X instanceof NdArray && X instanceof Vector)
    t.deepEqual([X.kind, X.nrow, X.ncol, X.length, X.dim], ['matrix', 2, 3, 6, [2, 3]])
    t.is(X.get(1, 0), 2)
    t.is(X.get(0, 2), 5)
    t.is(X.get(4), 5)
    t.is(store.get('X'), X)
    t.is(store.getMatrix('X', 'integer'), X)
    t.is(store.getVector('X'), X)
    refuses(t, () => store.getMatrix('X', 'numeric'), 'TYPE')
    store.vector('integer', 1, { name: 'v' })
    refuses(t, () => store.getMatrix('v'), 'TYPE')
    refuses(t, () => store.getMatrix('none'), 'NOT_FOUND')
  })

  test(`${mode}: an array of any rank, cell by cell`, t => {
    const store = freshStore(t, { mode })
    const A = store.array('numeric', [2, 3, 4], { name: 'A' })
    t.false(A instanceof Matrix)
    t.deepEqual([A.kind, A.dim, A.length], ['array', [2, 3, 4], 24])
    t.is(A.setCell([1, 2, 3], 7), A)
    t.is(A.get(23), 7)
    t.is(A.setCell([1, 0, 2], null).get(1 + 2 * 3 * 2), null)
    t.is(A.cell([1, 0, 2]), null)
    t.is(store.get('A'), A)
    t.is(store.array('numeric', [5]).kind, 'array')
    t.is(store.array('numeric', [2, 2]).kind, 'array', 'two extents make an array here, too')
  })
}

test('shapes come back in another process, from a file opened read-only', async t => {
  const store = freshStore(t)
  sixes(store, 'X')
  store.array('raw', [1, 2, 3], { name: 'A' })
  store.vector('numeric', SIX, { name: 'v' }).reshape([3, 2]).reshape([3, 1, 2])
  store.close()
  const found = await inChild(
    t,
    ({ fm, args }) => {
      const s = fm.openFmalloc(args.file, { readOnly: true })
      const X = s.getMatrix('X')
      const codes = [() => X.reshape([6]), () => X.set(0, 0, 1), () => X.setAttribute('a', 1)].map(act => {
        try {
          act()
          return null
        } catch (e) {
          return e.code
        }
      })
      return [
        X instanceof fm.Matrix,
        X.dim,
        X.toArray(),
        s.get('A').dim,
        s.get('v').dim,
        s.get('v').kind,
        codes,
      ]
    },
    { file: store.path },
  )
  const readOnly = 'ERR_FMALLOC_READ_ONLY'
  t.deepEqual(found, [true, [2, 3], SIX, [1, 2, 3], [3, 1, 2], 'array', [readOnly, readOnly, readOnly]])
})

test('a matrix without rows or columns', t => {
  const store = freshStore(t)
  for (const dim of [
    [0, 3],
    [3, 0],
    [0, 0],
  ]) {
    const X = store.matrix('numeric', dim)
    t.deepEqual([X.dim, X.length, X.toArray()], [dim, 0, []])
    t.deepEqual(X.transpose().dim, [...dim].reverse())
    t.deepEqual(X.copy().dim, dim)
    if (dim[1] > 0) t.deepEqual(X.column(2).toArray(), [])
    if (dim[0] > 0) t.deepEqual(X.row(2).toArray(), [])
    refuses(t, () => X.get(0, 0), 'OUT_OF_BOUNDS')
  }
})

test('values are converted as in a vector, and from a vector', t => {
  const store = freshStore(t)
  t.deepEqual(store.matrix('integer', [1, 2], { values: [1.9, null] }).toArray(), [1, null])
  t.deepEqual(store.matrix('numeric', [2, 1], { values: store.vector('logical', [true, null]) }).toArray(), [
    1,
    null,
  ])
  t.deepEqual(store.matrix('numeric', [2, 1], { values: Float64Array.of(3, 4) }).get(1, 0), 4)
})

// ---- refused, and nothing made

test('extents, values and dimnames that make no sense are refused, and nothing was made', t => {
  const store = freshStore(t)
  for (const dim of [
    undefined,
    null,
    6,
    'a',
    [],
    [2],
    [2, 3, 1],
    [2, -1],
    [2, 1.5],
    [2, NaN],
    [2, null],
    [2 ** 31, 1],
  ])
    refuses(t, () => store.matrix('numeric', dim), 'DIM')
  for (const dim of [undefined, [], [-1], [1, undefined], [2 ** 31], new Array(256).fill(1)])
    refuses(t, () => store.array('numeric', dim), 'DIM')
  refuses(t, () => store.array('numeric', [2 ** 30, 2 ** 30]), 'DIM', /too large/)
  refuses(
    t,
    () => store.matrix('numeric', [2, 3], { values: [1, 2] }),
    'DIM',
    /dims \[product 6\] do not match the length of object \[2\]/,
  )
  refuses(t, () => store.matrix('numeric', [2, 3], { values: 5 }), 'ARGUMENT')
  refuses(t, () => store.matrix('numeric', [2, 3], { vals: SIX }), 'ARGUMENT')
  refuses(t, () => store.matrix('nothing', [2, 3]), 'TYPE')
  refuses(t, () => store.matrix('numeric', [1, 2], { values: [1, undefined] }), 'VALUE')
  refuses(t, () => store.matrix('numeric', [2, 3], { dimnames: 'a' }), 'ARGUMENT')
  refuses(
    t,
    () => store.matrix('numeric', [2, 3], { dimnames: [null] }),
    'DIM',
    /length of 'dimnames' \[1\] must match that of 'dims' \[2\]/,
  )
  refuses(
    t,
    () => store.matrix('numeric', [2, 3], { dimnames: [['a'], null] }),
    'DIM',
    /'dimnames' \[1\] not equal to array extent/,
  )
  refuses(t, () => store.matrix('numeric', [2, 3], { dimnames: [[1, 2], null] }), 'TYPE')
  refuses(t, () => store.matrix('numeric', [2, 3], { dimnames: [['a', undefined], null] }), 'VALUE')
  refuses(t, () => store.matrix('numeric', [2, 3], { dimnames: [['a', '\ud800'], null] }), 'ENCODING')
  refuses(t, () => store.matrix('numeric', [2, 3], { dimnames: [undefined, null] }), 'VALUE')
  t.is(store.allocations().length, 0)
  t.is(store.diagnose().summary.temporaries, 0)
})

test('a position outside or no position is refused, and nothing is written', t => {
  const X = sixes(freshStore(t))
  for (const [i, j] of [
    [2, 0],
    [0, 3],
    [-1, 0],
    [0, -1],
  ]) {
    refuses(t, () => X.get(i, j), 'OUT_OF_BOUNDS', /subscript out of bounds/)
    refuses(t, () => X.set(i, j, 9), 'OUT_OF_BOUNDS')
    refuses(t, () => X.cell([i, j]), 'OUT_OF_BOUNDS')
  }
  for (const [i, j] of [
    [0.5, 0],
    [0, NaN],
    [0, null],
    [0, undefined],
    [{}, 0],
  ]) {
    refuses(t, () => X.get(i, j), 'SUBSCRIPT')
    refuses(t, () => X.set(i, j, 9), 'SUBSCRIPT')
  }
  refuses(t, () => X.cell([1]), 'DIM', /incorrect number of dimensions/)
  refuses(t, () => X.cell([1, 1, 0]), 'DIM')
  refuses(t, () => X.cell(1), 'SUBSCRIPT')
  refuses(t, () => X.set(0, 0, 1.5), 'VALUE')
  refuses(t, () => X.column(3), 'OUT_OF_BOUNDS')
  refuses(t, () => X.row(2), 'OUT_OF_BOUNDS')
  refuses(t, () => X.column('a'), 'DIM', /no 'dimnames' attribute/)
  t.deepEqual(X.toArray(), SIX)
})

// ---- parts

test('a column shares its elements, a row is a copy', t => {
  const X = sixes(freshStore(t))
  const column = X.column(1)
  t.deepEqual(column.toArray(), [3, 4])
  column.set(0, 30)
  t.is(X.get(0, 1), 30)
  t.deepEqual([column.kind, column.dim], ['vector', null])
  const row = X.row(1)
  t.deepEqual(row.toArray(), [2, 4, 6])
  t.is(row.state, 'temporary')
  row.set(0, 20)
  t.is(X.get(1, 0), 2)
  refuses(t, () => column.keep('c'), 'ARGUMENT')
  refuses(t, () => column.destroy(), 'ARGUMENT')
})

test('the only column of a matrix is a part of it and not the matrix', t => {
  const store = freshStore(t)
  const X = store.matrix('integer', [3, 1], { values: [1, 2, 3] })
  const column = X.column(0)
  t.deepEqual([column.dim, column.kind], [null, 'vector'])
  refuses(t, () => column.destroy(), 'ARGUMENT')
  refuses(t, () => column.reshape([3, 1]), 'ARGUMENT')
  t.is(X.subarray(0).dim, null, 'a subarray has no extents, as in R')
  t.is(X.state, 'committed')
})

test('a range of columns is a matrix that shares, and keeps its shape when the object gets another', t => {
  const store = freshStore(t)
  const X = store.matrix('numeric', [2, 4], { values: [1, 2, 3, 4, 5, 6, 7, 8], name: 'X' })
  const W = X.columns(1, 3)
  t.true(W instanceof Matrix)
  t.deepEqual([W.dim, W.nrow, W.ncol, W.toArray()], [[2, 2], 2, 2, [3, 4, 5, 6]])
  t.is(W.set(1, 1, 60).get(1, 1), 60)
  t.is(X.get(1, 2), 60)
  t.deepEqual(X.columns(-1).toArray(), [7, 8])
  t.deepEqual(X.columns(3, 1).dim, [2, 0])
  t.deepEqual(W.columns(1).toArray(), [5, 60])
  t.deepEqual(W.column(1).toArray(), [5, 60])
  t.deepEqual(W.row(0).toArray(), [3, 5])
  t.deepEqual(W.transpose().toArray(), [3, 5, 4, 60])
  t.deepEqual(W.copy().dim, [2, 2])
  refuses(t, () => W.setDimnames(null), 'ARGUMENT')
  refuses(t, () => W.reshape([4]), 'ARGUMENT')
  refuses(t, () => W.destroy(), 'ARGUMENT')
  X.reshape([4, 2])
  t.deepEqual([W.dim, W.get(1, 1), W.dimnames], [[2, 2], 60, null])
  t.is(W.name, null)
  const all = X.reshape([2, 4]).columns(0)
  refuses(t, () => all.destroy(), 'ARGUMENT')
  X.reshape([8, 1])
  t.deepEqual([all.dim, all.get(1, 3), all.kind], [[2, 4], 8, 'matrix'])
})

test('a view, windows and bulk work see the elements in memory order', t => {
  const X = store6(t)
  t.deepEqual([...X.view()], SIX)
  t.deepEqual([...X], SIX)
  const [window] = X.windows()
  t.deepEqual(window.toArray(), SIX)
  t.deepEqual(X.columns(1, 2).view(), Int32Array.of(3, 4))
  t.is(X.fill(1).get(1, 2), 1)
})
const store6 = t => sixes(freshStore(t))

for (const type of Object.keys(TYPES)) {
  test(`transpose of ${type} puts every element at its place, at any size of tile`, t => {
    const store = freshStore(t)
    for (const [nrow, ncol] of [
      [1, 1],
      [1, 200],
      [200, 1],
      [3, 5],
      [64, 64],
      [65, 63],
      [129, 130],
    ]) {
      const X = store.matrix(type, [nrow, ncol])
      X.write(content(type, nrow * ncol, nrow + ncol))
      const Y = X.transpose()
      t.deepEqual(Y.dim, [ncol, nrow])
      const { length, [0]: first } = X.view()
      const lanes = length / (nrow * ncol)
      t.is(typeof first, 'number')
      const [x, y] = [X.view(), Y.view()].map(v => new Uint8Array(v.buffer, v.byteOffset, v.byteLength))
      const width = (lanes * X.view().BYTES_PER_ELEMENT) | 0
      for (let i = 0; i < nrow; i += 7) {
        for (let j = 0; j < ncol; j++) {
          const a = x.subarray((i + j * nrow) * width, (i + j * nrow + 1) * width)
          const b = y.subarray((j + i * ncol) * width, (j + i * ncol + 1) * width)
          if (!sameBits(a, b)) t.fail(`${nrow} × ${ncol}: element (${i}, ${j})`)
        }
      }
      t.true(Y.transpose().equals(X))
    }
  })
}

test('a transpose is a temporary until it is kept or named; the free function is the same', t => {
  const store = freshStore(t)
  const X = sixes(store, 'X')
  t.is(X.transpose().state, 'temporary')
  t.is(X.transpose({ name: 'T' }), store.get('T'))
  t.deepEqual(store.getMatrix('T').dim, [3, 2])
  t.deepEqual(transpose(X).toArray(), [1, 3, 5, 2, 4, 6])
  refuses(t, () => transpose([1]), 'ARGUMENT')
  refuses(t, () => X.transpose({ nmae: 'T' }), 'ARGUMENT')
})

// ---- reshape

test('reshape shares: every handle gains the extents, none changes its class, and the store gives the new one', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX, { name: 'v' })
  const records = store.allocations().length
  const X = v.reshape([2, 3])
  t.true(X instanceof Matrix)
  t.is(store.allocations().length, records)
  t.is(v.constructor, Vector)
  t.deepEqual(
    [v.dim, X.dim],
    [
      [2, 3],
      [2, 3],
    ],
  )
  t.is(store.get('v'), X)
  t.is(X.set(1, 2, 60).get(5), 60)
  t.is(v.get(5), 60)
  const A = X.reshape([1, 2, 3])
  t.deepEqual([A.kind, X.dim, v.dim], ['array', [1, 2, 3], [1, 2, 3]])
  t.is(store.get('v'), A)
  refuses(t, () => X.get(0, 0), 'DIM', /3 dimensions now/)
  t.is(X.get(5), 60)
  t.is(A.reshape([3, 2]), X, 'one facade for each class')
  t.is(X.get(2, 1), 60)
  t.is(store.delete('v'), true)
  t.deepEqual([v.state, X.state, A.state], ['destroyed', 'destroyed', 'destroyed'])
})

test('a refused reshape changes nothing', t => {
  const store = freshStore(t)
  const X = sixes(store, 'X')
  X.setAttribute('a', 1)
  refuses(t, () => X.reshape([4, 2]), 'DIM', /dims \[product 8\] do not match the length of object \[6\]/)
  refuses(t, () => X.reshape([]), 'DIM')
  refuses(t, () => X.reshape([6, -1]), 'DIM')
  refuses(t, () => X.reshape([3, 2], [['a'], null]), 'DIM')
  refuses(t, () => X.subarray(1).reshape([5, 1]), 'ARGUMENT')
  t.deepEqual([X.dim, X.getAttribute('a'), store.get('X')], [[2, 3], 1, X])
  X.destroy()
  refuses(t, () => X.reshape([3, 2]), 'DESTROYED')
})

test('a reshaped temporary survives tidy if it is returned, and dies with it otherwise', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX)
  let lost
  const kept = store.tidy(() => {
    lost = v.copy().reshape([3, 2])
    return v.copy().reshape([3, 2])
  })
  t.is(lost.state, 'destroyed')
  t.deepEqual([kept.state, kept.dim], ['temporary', [3, 2]])
  t.is(kept.keep('kept'), store.get('kept'))
})

test('another thread notices a reshape at its next use', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX, { name: 'v' })
  const { run } = thread(t)
  await run(
    ({ fm, args, keep }) => {
      keep.v = fm.openRef(args.ref)
      keep.v.get(0)
    },
    { ref: v.ref },
  )
  v.reshape([2, 3])
  const seen = await run(({ fm, keep }) => {
    const X = keep.v.store.get('v')
    return [keep.v.dim, keep.v.kind, keep.v.get(5), X instanceof fm.Matrix, X.get(1, 2)]
  })
  t.deepEqual(seen, [[2, 3], 'matrix', 6, true, 6])
  await run(({ keep }) => void keep.v.reshape([6, 1]))
  t.deepEqual(v.dim, [6, 1])
  t.deepEqual(store.get('v').column(0).toArray(), SIX)
})

test('reshaping over and over leaves one record and takes no space for good', t => {
  const store = freshStore(t)
  const X = sixes(store, 'X')
  store.syncNow()
  const { nbytes } = store
  for (let i = 0; i < 2000; i++) X.reshape(i % 2 === 0 ? [3, 2] : [2, 3])
  t.is(store.allocations().filter(row => row.state === 'committed').length, 1)
  t.true(store.nbytes <= nbytes + 2 ** 20, `${store.nbytes} after ${nbytes}`)
  t.true(store.verify().ok)
})

// ---- copies, comparison, references, people

test('copies keep the shape, slices and conversions do not', t => {
  const store = freshStore(t)
  const X = sixes(store)
  const copy = X.copy({ name: 'copy' })
  t.true(copy instanceof Matrix)
  t.deepEqual(copy.dim, [2, 3])
  t.is(X.slice(1, 3).dim, null)
  t.is(X.as('numeric').dim, null)
  const other = freshStore(t)
  t.deepEqual(X.copy({ into: other }).dim, [2, 3])
})

test('equals looks at the shape', t => {
  const store = freshStore(t)
  const X = sixes(store)
  t.true(X.equals(sixes(store)))
  t.true(X.equals(X.copy()))
  t.false(X.equals(store.vector('integer', SIX)))
  t.false(X.equals(store.matrix('integer', [3, 2], { values: SIX })))
  t.false(X.equals(store.array('integer', [2, 3], { values: SIX })))
  t.true(X.columns(0, 2).equals(store.matrix('integer', [2, 2], { values: [1, 2, 3, 4] })))
  t.true(X.column(0).equals(store.vector('integer', [1, 2])))
})

test('a reference says kind and extents, and opens as that class', async t => {
  const store = freshStore(t)
  const X = sixes(store, 'X')
  t.deepEqual([X.ref.kind, X.ref.dim, X.ref.length], ['matrix', [2, 3], 6])
  t.is(openRef(X.ref), X)
  t.is(openRef(JSON.parse(JSON.stringify(X.ref))), X)
  const W = X.columns(1, 3)
  t.deepEqual([W.ref.kind, W.ref.dim, W.ref.start], ['matrix', [2, 2], 2])
  t.deepEqual(openRef(W.ref).toArray(), [3, 4, 5, 6])
  t.deepEqual(openRef(X.column(1).ref).toArray(), [3, 4])
  const empty = store.matrix('numeric', [0, 3])
  t.deepEqual(openRef(empty.columns(1).ref).dim, [0, 2])
  t.deepEqual(openRef(X.columns(2, 2).ref).dim, [2, 0])
  const A = store.array('numeric', [1, 2, 2])
  t.is(openRef(A.ref), A)
  const { run } = thread(t)
  const there = await run(
    ({ fm, args }) => {
      const W = fm.openRef(args.ref)
      return [W instanceof fm.Matrix, W.dim, W.get(1, 1)]
    },
    { ref: W.ref },
  )
  t.deepEqual(there, [true, [2, 2], 6])
})

test('a reference older than the shape is stale, one to the vector gives the vector', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX, { name: 'v' })
  const before = v.ref
  const X = v.reshape([2, 3])
  const { ref } = X
  t.is(openRef(before), v)
  X.reshape([3, 2])
  refuses(t, () => openRef(ref), 'STALE_REF', /reshaped/)
  refuses(t, () => openRef(Object.assign({}, ref, { dim: [2, 4] })), 'ARGUMENT')
  refuses(t, () => openRef(Object.assign({}, ref, { dim: null })), 'ARGUMENT')
  refuses(t, () => openRef(Object.assign({}, ref, { dim: [1, 2, 3] })), 'ARGUMENT')
  X.reshape([2, 3])
  t.is(openRef(ref), X)
})

test('the console shows class, name and extents, also of the dead', t => {
  const store = freshStore(t)
  const X = sixes(store, 'X')
  t.regex(util.inspect(X), /^Matrix<integer> "X" \[2 × 3\] {2}1, 2, 3, 4, 5, 6 /)
  t.is(`${X}`, 'Matrix<integer> "X" [2 × 3]')
  t.regex(util.inspect(store.array('raw', [1, 2, 2])), /^NdArray<raw> \[1 × 2 × 2\]/)
  t.regex(util.inspect(X.columns(1)), /^Matrix<integer> "X" from 2 \[2 × 2\]/)
  t.is(JSON.stringify(X), '[1,2,3,4,5,6]')
  refuses(t, () => X + 1, 'OPERATOR')
  store.close()
  t.is(util.inspect(X), 'Matrix<integer> "X" [2 × 3] (closed)')
  t.deepEqual([X.dim, X.nrow, X.kind, X.state], [[2, 3], 2, 'matrix', 'closed'])
  refuses(t, () => X.get(0, 0), 'CLOSED')
  refuses(t, () => X.row(0), 'CLOSED')
})

test('the shape of a matrix cannot be written over', t => {
  const X = sixes(freshStore(t))
  for (const key of ['dim', 'nrow', 'ncol', 'dimnames', 'kind', 'names']) {
    t.throws(() => (X[key] = 1), { instanceOf: TypeError }, key)
  }
  t.throws(() => X.dim.push(1), { instanceOf: TypeError })
})

test('shapes survive compaction and a dense copy', async t => {
  const store = freshStore(t)
  const gap = store.vector('numeric', 1e5)
  const X = sixes(store, 'X')
  X.setAttribute('unit', 'kg')
  gap.destroy()
  store.syncNow()
  store.compact()
  t.deepEqual([X.dim, X.toArray(), X.getAttribute('unit')], [[2, 3], SIX, 'kg'])
  const path = `${store.path}.copy`
  await store.compactTo(path)
  const copy = open(t, path).getMatrix('X')
  t.deepEqual([copy.dim, copy.toArray(), copy.getAttribute('unit')], [[2, 3], SIX, 'kg'])
})
