// The R-named functions for matrices and arrays, row by row of R's behaviour; titles begin with the row's number.

import test from 'ava'
import {
  asFmallocArray,
  asFmallocMatrix,
  createFmallocArray,
  createFmallocMatrix,
  createMmapVector,
  initFmalloc,
  cleanupFmalloc,
  Matrix,
  NdArray,
} from '../dist/index.js'
import { fileWith, freshPath, freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

const SIX = [1, 2, 3, 4, 5, 6]

test('2.20 both extents are required', t => {
  const runtime = freshStore(t)
  refuses(t, () => createFmallocMatrix('numeric', undefined, 3, { runtime }), 'ARGUMENT', /nrow/)
  refuses(t, () => createFmallocMatrix('numeric', 3, undefined, { runtime }), 'ARGUMENT', /ncol/)
  t.is(runtime.allocations().length, 0)
})

test('2.21 each extent is a non-negative whole number, and the error names it; the product has a limit', t => {
  const runtime = freshStore(t)
  for (const bad of [-1, 1.5, NaN, Infinity, null, '3', [3]]) {
    refuses(t, () => createFmallocMatrix('numeric', bad, 3, { runtime }), 'ARGUMENT', /nrow/)
    refuses(t, () => createFmallocMatrix('numeric', 3, bad, { runtime }), 'ARGUMENT', /ncol/)
  }
  refuses(t, () => createFmallocMatrix('raw', 2 ** 30, 2 ** 30, { runtime }), 'DIM', /length is too large/)
  t.is(runtime.allocations().length, 0)
})

test('2.22 no rows or no columns are allowed; elements are column-major', t => {
  const runtime = freshStore(t)
  t.deepEqual(createFmallocMatrix('numeric', 0, 5, { runtime }).dim, [0, 5])
  t.deepEqual(createFmallocMatrix('numeric', 5, 0, { runtime }).dim, [5, 0])
  const X = createFmallocMatrix('integer', 2, 3, { runtime })
  X.set(1, 0, 7)
  t.is(X.get(1), 7)
})

test('2.23 one record; the extents are set, dimnames are checked first', t => {
  const runtime = freshStore(t)
  const X = createFmallocMatrix('integer', 2, 3, null, runtime, true)
  t.is(runtime.allocations().length, 1)
  t.deepEqual(X.dim, [2, 3])
  refuses(t, () => createFmallocMatrix('integer', 2, 3, [['a'], null], runtime), 'DIM')
  refuses(t, () => createFmallocMatrix('integer', 2, 3, [null], runtime), 'DIM')
  refuses(t, () => createFmallocMatrix('integer', 2, 3, 'ab', runtime), 'ARGUMENT')
  refuses(t, () => createFmallocMatrix('integer', 2, 3, { dimension: 2 }, runtime), 'ARGUMENT')
  refuses(t, () => createFmallocMatrix('integer', 2, 3, null, runtime, 1), 'ARGUMENT')
  t.is(runtime.allocations().length, 1)
})

test('2.24 decided: the class Matrix, with the base type as its type; the type is integer by default', t => {
  const runtime = freshStore(t)
  t.true(createFmallocMatrix(undefined, 1, 1, { runtime }) instanceof Matrix)
  t.is(createFmallocMatrix(undefined, 1, 1, { runtime }).type, 'integer')
  t.is(createFmallocMatrix('DOUBLE', 1, 1, { runtime }).type, 'numeric')
  refuses(t, () => createFmallocMatrix('nonsense', -1, 1), 'TYPE', /unsupported vector type/)
})

test('2.30 dim is non-empty, whole, not negative, finite, within the limits', t => {
  const runtime = freshStore(t)
  for (const bad of [[], null, undefined, 'a', [1, -1], [1.5], [NaN], [Infinity], [2 ** 31], [2, null], -1])
    refuses(t, () => createFmallocArray('integer', bad, { runtime }), 'DIM', /dim/)
  refuses(t, () => createFmallocArray('raw', [2 ** 20, 2 ** 20, 2 ** 20], { runtime }), 'DIM', /dim/)
  t.is(runtime.allocations().length, 0)
  t.deepEqual(createFmallocArray('integer', Int32Array.of(2, 2), { runtime }).dim, [2, 2])
})

test('2.31 one dimension is allowed; two give an array, not a matrix', t => {
  const runtime = freshStore(t)
  for (const [dim, wanted] of [
    [4, [4]],
    [[4], [4]],
    [
      [2, 2],
      [2, 2],
    ],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  ]) {
    const A = createFmallocArray('numeric', dim, { runtime })
    t.true(A instanceof NdArray && !(A instanceof Matrix))
    t.deepEqual([A.dim, A.kind], [wanted, 'array'])
  }
})

test('2.50 extents that are not given are computed; what does not divide is refused', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX)
  t.deepEqual(asFmallocMatrix(v).dim, [6, 1])
  t.deepEqual(asFmallocMatrix(v, 2).dim, [2, 3])
  t.deepEqual(asFmallocMatrix(v, null, 2).dim, [3, 2])
  t.deepEqual(asFmallocMatrix(v, { ncol: 2 }).dim, [3, 2])
  t.deepEqual(asFmallocMatrix(v, 3, 2).dim, [3, 2])
  const empty = store.vector('integer', 0)
  t.deepEqual(asFmallocMatrix(empty, 0).dim, [0, 0])
  t.deepEqual(asFmallocMatrix(empty, 3).dim, [3, 0])
  const records = store.allocations().length
  for (const [nrow, ncol] of [[4], [undefined, 4], [0], [undefined, 0], [2, 2], [-2], [1.5]])
    refuses(t, () => asFmallocMatrix(v, nrow, ncol), 'DIM')
  refuses(t, () => asFmallocMatrix(SIX), 'ARGUMENT')
  refuses(t, () => asFmallocMatrix(v, { dim: [2, 3] }), 'ARGUMENT')
  refuses(t, () => asFmallocMatrix(v, { rows: 2 }), 'ARGUMENT')
  t.is(store.allocations().length, records)
})

test('2.51 an array without dim has one dimension; the product must be the length', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX)
  t.deepEqual(asFmallocArray(v).dim, [6])
  t.deepEqual(asFmallocArray(v, [1, 2, 3]).dim, [1, 2, 3])
  t.deepEqual(asFmallocArray(v, { dim: [3, 2] }).kind, 'array')
  refuses(
    t,
    () => asFmallocArray(v, [4]),
    'DIM',
    /dims \[product 4\] do not match the length of object \[6\]/,
  )
  refuses(t, () => asFmallocArray(v, { nrow: 2 }), 'ARGUMENT')
})

test('2.52 a copy by default: one more record, the source has no extents', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX)
  const X = asFmallocMatrix(v, 2)
  t.is(store.allocations().length, 2)
  t.is(X.state, 'committed')
  t.is(v.dim, null)
  X.set(0, 0, 100)
  t.is(v.get(0), 1)
  t.deepEqual(asFmallocMatrix(v.subarray(2), 2).toArray(), [3, 4, 5, 6], 'a part of a vector, too')
  t.deepEqual(asFmallocArray(X).dim, [6])
})

test('2.53 copy = false: the shape is set on the same payload, every alias sees it', t => {
  const store = freshStore(t)
  const v = store.vector('integer', SIX, { name: 'v' })
  const X = asFmallocMatrix(v, { ncol: 3, copy: false })
  t.is(store.allocations().length, 1)
  t.true(X instanceof Matrix)
  t.deepEqual(
    [v.dim, X.dim],
    [
      [2, 3],
      [2, 3],
    ],
  )
  X.set(0, 0, 100)
  t.is(v.get(0), 100)
  t.deepEqual(asFmallocArray(v, [6], null, false).dim, [6])
  t.deepEqual(v.dim, [6])
  refuses(t, () => asFmallocMatrix(v.subarray(1), 5, 1, null, false), 'ARGUMENT')
  refuses(t, () => asFmallocMatrix(v, 2, 3, null, 'no'), 'ARGUMENT')
  const file = createMmapVector(fileWith(t, new Uint8Array(24), 'plain'))
  refuses(t, () => asFmallocMatrix(file, 2, 3, null, false), 'UNSUPPORTED')
})

test.serial('without a runtime: the default, and an error without one, after the arguments', t => {
  refuses(t, () => createFmallocMatrix('integer', 1, 1), 'NOT_INITIALIZED')
  refuses(t, () => createFmallocMatrix('integer', -1, 1), 'ARGUMENT')
  refuses(t, () => createFmallocArray('integer', [2]), 'NOT_INITIALIZED')
  initFmalloc(freshPath(t))
  t.teardown(() => cleanupFmalloc())
  t.deepEqual(createFmallocMatrix('integer', 2, 2).dim, [2, 2])
  t.deepEqual(createFmallocArray('integer', [2, 2, 2]).dim, [2, 2, 2])
})
