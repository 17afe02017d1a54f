// Arithmetic that writes over its first operand: the danger is a half-written vector after a refusal, an operand that changes while it is
// read, a value that silently loses what it was.

import test from 'ava'
import {
  captureWarnings,
  fmallocAdd,
  fmallocDiv,
  fmallocMul,
  fmallocSub,
  int,
  openFmalloc,
} from '../dist/index.js'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

test('every alias sees it, the object stays the same', t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [1, null, 3, 4], { name: 'x', names: ['a', 'b', 'c', 'd'] })
  const view = x.view()
  const part = x.subarray(1, 3)
  t.is(x.addInPlace(1), x)
  t.deepEqual(x.toArray(), [2, null, 4, 5])
  t.is(view[0], 2)
  t.deepEqual(part.mulInPlace(10).toArray(), [null, 40])
  t.deepEqual(x.subInPlace([1, 2]).toArray(), [1, null, 39, 3])
  t.deepEqual(x.divInPlace(x).toArray(), [1, null, 1, 1])
  t.deepEqual(x.names.toArray(), ['a', 'b', 'c', 'd'])
  t.is(store.get('x'), x)
})

test('overlapping parts: as if the operand had been copied before', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const n = 70_000
  const values = Float64Array.from({ length: n }, (_, i) => i)
  for (const [to, from] of [
    [1, 0],
    [0, 1],
    [5, 3],
  ]) {
    const x = store.vector('numeric', values)
    const length = n - Math.max(to, from)
    x.subarray(to, to + length).addInPlace(x.subarray(from, from + length))
    const want = Float64Array.from(values)
    for (let i = 0; i < length; i++) want[to + i] += values[from + i]
    t.deepEqual(x.toTypedArray(), want)
  }
  const x = store.vector('numeric', values)
  x.mulInPlace(x)
  t.is(x.get(n - 1), (n - 1) ** 2)
})

test('the type stays: integers take what integers can hold exactly', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const i = store.vector('integer', [1, 2, null])
  t.deepEqual(i.addInPlace(2).toArray(), [3, 4, null])
  t.is(i.type, 'integer')
  t.deepEqual(i.mulInPlace([int(2), true, null]).toArray(), [6, 4, null])
  const error = refuses(t, () => i.addInPlace([1, 2.5, 3]), 'VALUE', /element 1/)
  t.is(error.details.index, 1)
  refuses(t, () => i.divInPlace(2), 'TYPE', /cannot be written in place/)
  refuses(t, () => store.vector('logical', [true]).addInPlace(true), 'TYPE')
  t.deepEqual(i.toArray(), [6, 4, null])
  const { warnings } = captureWarnings(() => store.vector('integer', [2147483647]).addInPlace(int(1)))
  t.deepEqual(
    warnings.map(w => [w.code, w.operation]),
    [['integer-overflow', 'addInPlace']],
  )
  const z = store.vector('complex', [{ re: 1, im: 1 }])
  t.deepEqual(z.mulInPlace(2).toArray(), [{ re: 2, im: 2 }])
  refuses(t, () => store.vector('numeric', [1]).addInPlace({ re: 1, im: 2 }), ['VALUE', 'TYPE'])
})

test('a refusal leaves every element as it was', t => {
  const path = freshPath(t)
  const store = open(t, path)
  const x = store.vector('numeric', [1, 2, 3], { name: 'x' })
  refuses(t, () => x.addInPlace([1, 2, 3, 4]), 'LENGTH')
  refuses(t, () => x.addInPlace([]), 'LENGTH')
  refuses(t, () => x.addInPlace('a'), 'NON_NUMERIC')
  refuses(t, () => x.addInPlace(undefined), 'VALUE')
  refuses(t, () => x.addInPlace({}), 'VALUE')
  refuses(t, () => store.vector('character', ['a']).addInPlace(1), ['NON_NUMERIC', 'TYPE'])
  refuses(t, () => store.vector('raw', [1]).addInPlace(1), 'NON_NUMERIC')
  t.deepEqual(x.toArray(), [1, 2, 3])
  const { warnings } = captureWarnings(() => x.addInPlace([1, 1]))
  t.deepEqual(
    warnings.map(w => w.code),
    ['recycle-remainder'],
  )
  t.deepEqual(x.toArray(), [2, 3, 4])
  x.seal()
  refuses(t, () => x.addInPlace(1), 'SEALED')
  t.deepEqual(x.toArray(), [2, 3, 4])
  x.destroy()
  refuses(t, () => x.addInPlace(1), 'DESTROYED')
  store.vector('numeric', [5], { name: 'y' })
  store.close()
  const reader = openFmalloc(path, { readOnly: true })
  refuses(t, () => reader.getVector('y', 'numeric').addInPlace(1), 'READ_ONLY')
  t.is(reader.getVector('y', 'numeric').get(0), 5)
  reader.close()
})

test('an operand in a closed store, or one that dies while it is read, changes nothing', t => {
  const store = freshStore(t)
  const other = freshStore(t)
  const x = store.vector('numeric', [1, 2])
  const y = other.vector('numeric', [1, 2])
  t.deepEqual(x.addInPlace(y).toArray(), [2, 4])
  other.close()
  refuses(t, () => x.addInPlace(y), 'CLOSED')
  const values = [1, 2]
  Object.defineProperty(values, 0, { get: () => (x.seal(), 1), enumerable: true })
  refuses(t, () => x.addInPlace(values), 'SEALED')
  t.deepEqual(x.toArray(), [2, 4])
})

test("R's own names are of numeric vectors only", t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [8, 6])
  t.is(fmallocAdd(x, 2), x)
  t.deepEqual(fmallocSub(x, [1, 1]).toArray(), [9, 7])
  t.deepEqual(fmallocMul(x, 2).toArray(), [18, 14])
  t.deepEqual(fmallocDiv(x, 2).toArray(), [9, 7])
  refuses(t, () => fmallocAdd(store.vector('integer', [1]), 1), 'TYPE')
  refuses(t, () => fmallocAdd([1], 1), 'ARGUMENT')
})
