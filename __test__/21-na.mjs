// Missing values: null is NA, NaN is NaN, raw has none. The bits are R's: INT_MIN in logical and integer, a NaN whose low word is 1954 in
// numeric and complex.

import util from 'node:util'
import test from 'ava'
import { captureWarnings } from '../dist/index.js'
import { freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

const INT_MIN = -2147483648

/** The two 32-bit halves of a double in memory. */
function halves(view, i) {
  const words = new Uint32Array(view.buffer, view.byteOffset + 8 * i, 2)
  return { low: words[0], high: words[1] }
}
const isNaBits = ({ low, high }) => low === 1954 && (high & 0x7ff00000) === 0x7ff00000

test("null becomes R's bits, however it is written", t => {
  const store = freshStore(t)
  const ways = {
    create: type => store.vector(type, [null]),
    set: type => store.vector(type, 1).set(0, null),
    write: type => store.vector(type, 1).write([null]),
    fill: type => store.vector(type, 1).fill(null),
    several: type => store.vector(type, 1).set([0], [null]),
  }
  for (const [how, make] of Object.entries(ways)) {
    t.is(make('logical').view()[0], INT_MIN, how)
    t.is(make('integer').view()[0], INT_MIN, how)
    t.true(isNaBits(halves(make('numeric').view(), 0)), how)
    const complex = make('complex').view()
    t.true(isNaBits(halves(complex, 0)) && isNaBits(halves(complex, 1)), `${how}: both parts`)
  }
})

test("R's bits read as null, however they are read", t => {
  const store = freshStore(t)
  for (const type of ['logical', 'integer', 'numeric', 'complex']) {
    const v = store.vector(type, [null])
    t.is(v.get(0), null, type)
    t.is(v.at(-1), null)
    t.deepEqual(v.toArray(), [null])
    t.deepEqual([...v], [null])
    t.is(JSON.stringify(v), '[null]')
    t.deepEqual(v.subarray(0).toArray(), [null])
    t.deepEqual(v.slice().toArray(), [null])
    t.regex(util.inspect(v), /NA/)
  }
})

test('NA and NaN stay apart in numeric, through copies and reopening', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [null, NaN, 1], { name: 'v' })
  const apart = x => {
    t.is(x.get(0), null)
    t.true(Number.isNaN(x.get(1)))
  }
  apart(v)
  apart(v.copy())
  apart(store.vector('numeric', v))
  apart(store.vector('numeric', v.toTypedArray()))
  const bits = v.toTypedArray()
  t.true(isNaBits(halves(bits, 0)))
  t.false(isNaBits(halves(bits, 1)))
  store.close()
  apart(open(t, store.path).getVector('v'))
})

test('a NaN that carries 1954 is NA whatever its other bits; any other NaN is NaN', t => {
  const v = freshStore(t).vector('numeric', 4)
  const words = new Uint32Array(v.view().buffer, v.view().byteOffset, 8)
  words.set([1954, 0x7ff00000, 1954, 0xfff80000, 1955, 0x7ff80000, 1954, 0x40000000])
  t.is(v.get(0), null)
  t.is(v.get(1), null)
  t.true(Number.isNaN(v.get(2)))
  t.is(typeof v.get(3), 'number')
  t.false(Number.isNaN(v.get(3)))
})

test('complex: NA in either part reads as null, NaN parts stay', t => {
  const store = freshStore(t)
  const v = store.vector('complex', [{ re: 1, im: 2 }, { re: NaN, im: 3 }, null])
  const words = new Uint32Array(v.view().buffer, v.view().byteOffset, 12)
  words.set([1954, 0x7ff00000], 2) // the imaginary part of the first
  t.is(v.get(0), null)
  t.true(Number.isNaN(v.get(1).re))
  t.is(v.get(1).im, 3)
  t.is(v.get(2), null)
})

test('raw has no NA', t => {
  const store = freshStore(t)
  const v = store.vector('raw', [1, 2])
  refuses(t, () => v.set(0, null), 'VALUE')
  refuses(t, () => v.write([null]), 'VALUE')
  refuses(t, () => v.fill(null), 'VALUE')
  t.deepEqual(v.toArray(), [1, 2])
})

test('undefined and holes are refused, never NA', t => {
  const store = freshStore(t)
  for (const type of ['logical', 'integer', 'numeric', 'complex', 'raw']) {
    refuses(t, () => store.vector(type, [undefined]), 'VALUE')
    refuses(t, () => store.vector(type, new Array(2)), 'VALUE')
    const v = store.vector(type, 1)
    refuses(t, () => v.set(0, undefined), 'VALUE')
    refuses(t, () => v.write([undefined]), 'VALUE')
    refuses(t, () => v.fill(undefined), 'VALUE')
  }
})

test('-2147483648 is no integer value: it is refused as a number and NA as bits', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  refuses(t, () => v.set(0, INT_MIN), 'VALUE')
  t.is(v.get(0), 1)
  t.is(store.vector('integer', Int32Array.of(INT_MIN)).get(0), null)
  t.is(store.vector('numeric', [INT_MIN]).get(0), INT_MIN)
})

test('false, zero and NA are three things', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('logical', [false, null, true]).toArray(), [false, null, true])
  t.deepEqual(store.vector('integer', [0, null, 1]).toArray(), [0, null, 1])
})

test('-0 keeps its sign', t => {
  const v = freshStore(t).vector('numeric', [-0])
  t.true(Object.is(v.get(0), -0))
  t.true(Object.is(v.set(0, 0).get(0), 0))
})

test('a vector of NA alone', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('numeric', 3).fill(null).toArray(), [null, null, null])
  t.true(
    store
      .vector('numeric', 3)
      .fill(null)
      .equals(store.vector('numeric', [null, null, null])),
  )
})

test('NA survives a conversion between types', t => {
  const store = freshStore(t)
  for (const from of ['logical', 'integer', 'numeric', 'complex']) {
    for (const to of ['logical', 'integer', 'numeric', 'complex']) {
      t.is(store.vector(to, store.vector(from, [null])).get(0), null, `${from} to ${to}`)
    }
  }
})

// as('raw') of 1e10 gave one warning where R gives two, a complex number with a missing part kept the other one, and the values of an array
// went another way than those of a vector.
test('an array converts to another type with the values and warnings of as()', t => {
  const store = freshStore(t)
  const sources = {
    numeric: [[1e10], [256], [-1], [255.9], [null], [NaN], [-Infinity]],
    complex: [[{ re: 7, im: 1 }], [{ re: NaN, im: 1 }], [{ re: 1, im: NaN }], [{ re: Infinity, im: 1 }]],
  }
  for (const [from, arrays] of Object.entries(sources)) {
    for (const values of arrays) {
      for (const to of ['logical', 'integer', 'numeric', 'raw']) {
        const codes = ({ warnings }) => warnings.map(({ code }) => code)
        const made = captureWarnings(() => store.vector(to, values))
        const converted = captureWarnings(() => store.vector(from, values).as(to))
        const what = `${util.inspect(values)} to ${to}`
        t.deepEqual(made.value.toArray(), converted.value.toArray(), what)
        t.deepEqual(codes(made), codes(converted), what)
      }
    }
  }
  const raw = captureWarnings(() => store.vector('raw', [1e10]))
  t.deepEqual(raw.warnings.map(({ code }) => code).sort(), ['integer-range', 'raw-range'])
  t.is(
    store
      .vector('complex', [{ re: 1, im: NaN }])
      .as('numeric')
      .get(0),
    null,
  )
})

test('the plain typed-array constructor is the trap the manual warns of; toTypedArray is the way', t => {
  const v = freshStore(t).vector('numeric', [null])
  t.is(new Float64Array([...v])[0], 0)
  t.true(Number.isNaN(v.toTypedArray()[0]))
})
