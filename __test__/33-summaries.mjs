// Summaries. What must never happen: a missing value that is lost or that wins where it must not, an operand that is left out or counted
// twice, a summary that makes a vector's elements numbers that they are not, or one whose answer depends on threads or on where a part starts.

import test from 'ava'
import {
  all,
  any,
  captureWarnings,
  createMmapVector,
  fmallocOptions,
  int,
  max,
  mean,
  min,
  prod,
  range,
  sum,
} from '../dist/index.js'
import { content } from './helpers/bytes.mjs'
import { fileWith, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** The value and the codes of what was warned of. */
function warned(fn) {
  const { value, warnings } = captureWarnings(fn)
  return [value, warnings.map(({ code }) => code)]
}

const NAMES = ['sum', 'prod', 'mean', 'min', 'max', 'range', 'any', 'all']

test('NA wins everywhere, NaN unless NA is there, and naRm leaves both out', t => {
  const store = freshStore(t)
  const na = store.vector('numeric', [1, NaN, null, 4])
  const nan = store.vector('numeric', [1, NaN, 4])
  for (const name of ['sum', 'prod', 'mean', 'min', 'max']) {
    t.is(na[name](), null, name)
    t.is(nan[name](), NaN, name)
    t.is(na[name]({ naRm: true }), { sum: 5, prod: 4, mean: 2.5, min: 1, max: 4 }[name])
    t.is(nan[name]({ naRm: true }), { sum: 5, prod: 4, mean: 2.5, min: 1, max: 4 }[name])
  }
  t.deepEqual(na.range(), [null, null])
  t.deepEqual(nan.range(), [NaN, NaN])
  t.deepEqual(na.range({ naRm: true }), [1, 4])
  for (const values of [
    [NaN, null],
    [null, NaN],
  ]) {
    const both = store.vector('numeric', values)
    t.is(both.max(), null, 'whichever comes first')
    t.is(both.min(), null)
  }
})

test('any and all have three values', t => {
  const store = freshStore(t)
  const of = (...values) => store.vector('logical', values)
  t.deepEqual(
    [of(true, null).any(), of(false, null).any(), of(false).any(), of().any()],
    [true, null, false, false],
  )
  t.deepEqual(
    [of(false, null).all(), of(true, null).all(), of(true).all(), of().all()],
    [false, null, true, true],
  )
  t.deepEqual([of(false, null).any({ naRm: true }), of(true, null).all({ naRm: true })], [false, true])
  const quiet = store.vector('integer', [0, 5])
  t.deepEqual(
    warned(() => quiet.any()),
    [true, []],
  )
  t.deepEqual(
    warned(() => store.vector('numeric', [0.5]).all()),
    [true, ['logical-coercion']],
  )
  t.deepEqual(
    warned(() => any(true, store.vector('numeric', [1]))),
    [true, []],
    'decided before the numbers',
  )
})

test('of nothing', t => {
  const store = freshStore(t)
  const none = store.vector('integer', 0)
  t.deepEqual([none.sum(), none.prod(), none.mean()], [0, 1, NaN])
  t.deepEqual(
    warned(() => none.max()),
    [-Infinity, ['empty-extremum']],
  )
  t.deepEqual(
    warned(() => none.range()),
    [[Infinity, -Infinity], ['empty-extremum']],
  )
  const gone = store.vector('numeric', [null, NaN])
  t.deepEqual(
    warned(() => gone.min({ naRm: true })),
    [Infinity, ['empty-extremum']],
  )
  const text = store.vector('character', 0)
  t.deepEqual(
    warned(() => text.max()),
    [null, ['empty-extremum']],
  )
  t.deepEqual([sum(), sum([]), prod([], []), any(), all([])], [0, 0, 1, false, true])
  t.deepEqual(
    warned(() => mean([])),
    [null, ['not-numeric']],
  )
})

test('whole numbers add up exactly, also beyond 2^31 and 2^53', t => {
  const store = freshStore(t)
  const large = store.vector('integer', 100_000).fill(2147483647)
  t.is(large.sum(), 2147483647 * 100_000)
  t.is(large.mean(), 2147483647)
  t.is(store.vector('integer', [2147483647, -2147483647, 5]).sum(), 5)
  t.is(store.vector('logical', [true, true, false]).sum(), 2)
  t.is(store.vector('numeric', [1e308, 1e308, -1e308]).sum(), 1e308, 'a running total may leave the range')
  t.is(store.vector('numeric', [1e308, 1e308]).mean(), 1e308)
  t.is(store.vector('numeric', [1e16, 1, -1e16]).sum(), 1)
})

test('complex numbers: both parts, and NA if either is', t => {
  const store = freshStore(t)
  const z = store.vector('complex', [
    { re: 1, im: 2 },
    { re: 3, im: -1 },
  ])
  t.deepEqual(
    [z.sum(), z.prod(), z.mean()],
    [
      { re: 4, im: 1 },
      { re: 5, im: 5 },
      { re: 2, im: 0.5 },
    ],
  )
  t.is(store.vector('complex', [{ re: 1, im: 2 }, null]).sum(), null)
  t.deepEqual(store.vector('complex', [{ re: 1, im: 2 }, null]).sum({ naRm: true }), { re: 1, im: 2 })
  for (const name of ['min', 'max', 'range'])
    refuses(t, () => z[name](), 'TYPE', /invalid 'type' \(complex\)/)
})

test('text has an order and truths, but no sum', t => {
  const store = freshStore(t)
  const long = 'a rather long string that needs a heap'
  const x = store.vector('character', ['b', long, 'é', '', `${long}!`, '😀', 'B'])
  t.deepEqual([x.min(), x.max()], ['', '😀'])
  t.deepEqual(x.subarray(1, 5).range(), ['', 'é'])
  t.deepEqual(store.vector('character', [`${long}!`, long, `${long}?`]).range(), [long, `${long}?`])
  t.deepEqual(store.vector('character', ['b', null]).range(), [null, null])
  t.deepEqual(store.vector('character', ['b', null]).range({ naRm: true }), ['b', 'b'])
  for (const name of ['sum', 'prod']) {
    const e = refuses(t, () => x[name](), 'TYPE', /invalid 'type' \(character\) of argument/)
    t.is(e.details.kind, 'bad-type')
  }
  t.deepEqual(
    warned(() => x.mean()),
    [null, ['not-numeric']],
  )
  t.deepEqual(
    warned(() => store.vector('raw', [1]).mean()),
    [null, ['not-numeric']],
  )
  t.deepEqual(
    warned(() => store.vector('character', ['T', 'true', 'FALSE', 'no']).any()),
    [true, ['logical-coercion']],
  )
  t.deepEqual(
    warned(() => store.vector('character', ['T', 'no']).all()),
    [null, ['logical-coercion']],
  )
  t.deepEqual(
    warned(() => all(x.subarray(0, 0), true)),
    [true, []],
  )
})

test('beside text, min and max compare what each operand gives, and range what all elements give as text', t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [10, 9])
  t.is(min(x, 'z'), '9')
  t.is(max(x, 'a', int(5)), 'a')
  t.deepEqual(range(x, 'z'), ['10', 'z'])
  t.deepEqual(range(store.vector('raw', [255]), store.vector('character', ['0'])), ['0', 'ff'])
  t.deepEqual([min('a', x, null), min('a', x, null, { naRm: true })], [null, '9'])
  t.is(max(store.vector('character', 0), 5), '5')
  refuses(t, () => min('a', { re: 1, im: 1 }), 'TYPE', /complex/)
})

test('several operands, of arrays, literals and vectors of several stores', t => {
  const [a, b] = [freshStore(t), freshStore(t)]
  const x = a.vector('integer', [1, 2])
  const y = b.vector('numeric', [0.5])
  t.is(sum(x, y, 3, int(4), [5, 6], Float64Array.of(7), true, []), 1 + 2 + 0.5 + 3 + 4 + 5 + 6 + 7 + 1)
  t.deepEqual(sum({ re: 1, im: 1 }, x), { re: 4, im: 1 })
  t.is(sum(1, 2, { naRm: true }), 3, 'no vector among them')
  t.is(sum(x, null), null)
  t.is(sum(x, null, { naRm: true }), 3)
  t.deepEqual(range(x, [], y), [0.5, 2])
  t.is(prod(x, x, x), 8, 'one vector three times')
  t.is(
    a.tidy(() => sum(x, [1, 2, 3])),
    9,
  )
  t.is(a.diagnose().summary.temporaries, 0, 'nothing is left of the arrays')
})

test('every summary takes a matrix, a part, a plain file and a read-only store', t => {
  const file = freshPath(t)
  const store = open(t, file)
  const m = store.matrix('numeric', [2, 3], { name: 'm', values: [1, 2, 3, 4, 5, 6] })
  t.deepEqual([m.sum(), m.range(), m.subarray(1, 3).sum()], [21, [1, 6], 5])
  const plain = createMmapVector(fileWith(t, Buffer.from(Int32Array.of(3, -4, 5).buffer), 'plain'))
  t.deepEqual([plain.sum(), plain.min(), sum(plain, m)], [4, -4, 25])
  store.close()
  const again = open(t, file, { readOnly: true })
  const read = again.get('m')
  t.deepEqual([read.mean(), sum(read, [1, 2]), max(read, '7')], [3.5, 24, '7'])
})

test('methods and free functions are one, also where they refuse', t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [3, 1, 2])
  const free = { sum, prod, mean, min, max, range, any, all }
  for (const name of NAMES) {
    t.deepEqual(
      warned(() => x[name]()),
      warned(() => free[name](x)),
      name,
    )
    refuses(t, () => x[name]({ naRm: 1 }), 'ARGUMENT', /naRm/)
    refuses(t, () => free[name](x, { narm: true }), 'ARGUMENT', /narm/)
  }
  refuses(t, () => sum(x, undefined, 1), 'VALUE', /undefined/)
  refuses(t, () => sum(x, Symbol('x')), 'VALUE')
  refuses(t, () => sum(store.list([x])), 'TYPE', /list/)
  refuses(t, () => any(store.list([x])), 'TYPE', /list/)
  const gone = store.vector('numeric', [1])
  gone.destroy()
  refuses(t, () => gone.sum(), 'DESTROYED')
  refuses(t, () => sum(x, gone), 'DESTROYED')
  store.close()
  for (const name of NAMES) refuses(t, () => x[name](), 'CLOSED')
})

test('neither threads nor the place of a part change a bit', t => {
  const store = freshStore(t)
  const before = fmallocOptions().threads
  t.teardown(() => fmallocOptions({ threads: before }))
  const n = 3 * 65536 + 2049
  const numbers = Float64Array.from(content('integer', n, 1), (x, i) => x * Math.sqrt(i))
  const x = store.vector('numeric', numbers)
  const shifted = store.vector('numeric', n + 1)
  shifted.write(numbers, 1)
  const part = shifted.subarray(1)
  const names = store.vector(
    'character',
    Array.from(content('integer', n, 2), i => `${i % 2 ? 'a' : 'text of some length'}${i}`),
  )
  const sorted = names.toArray().sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const given = () => [x.sum(), x.mean(), x.range(), part.sum(), part.mean(), part.range(), names.range()]
  fmallocOptions({ threads: 1 })
  const one = given()
  t.deepEqual(one.slice(0, 3), one.slice(3, 6))
  t.deepEqual(one[6], [sorted[0], sorted.at(-1)])
  for (const threads of [2, 3]) {
    fmallocOptions({ threads })
    t.deepEqual(given(), one)
  }
})

test('at every length around a block and a chunk the one element that counts is found', t => {
  const store = freshStore(t)
  for (const n of [1, 2, 3, 7, 8, 9, 2047, 2048, 2049, 65535, 65536, 65537]) {
    for (const at of [0, n >> 1, n - 1]) {
      const x = store.vector('integer', n)
      x.set(at, 7)
      t.deepEqual([x.sum(), x.max(), x.any()], [7, 7, true], `${at} of ${n}`)
      x.fill(1).set(at, null)
      t.deepEqual([x.sum(), x.sum({ naRm: true }), x.all()], [null, n - 1, null], `${at} of ${n}`)
      x.destroy()
      const names = store.vector('character', n).fill('m')
      names.set(at, 'z')
      t.deepEqual(names.range(), [n === 1 ? 'z' : 'm', 'z'], `${at} of ${n}`)
      names.set(at, null)
      t.deepEqual([names.max(), names.max({ naRm: true })], [null, n === 1 ? null : 'm'], `${at} of ${n}`)
      names.destroy()
    }
  }
})
