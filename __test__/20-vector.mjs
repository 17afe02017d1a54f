// One vector: how it is made, read, written, shared, copied, named and destroyed. Missing values have their own file, 21-na.

import assert from 'node:assert/strict'
import util from 'node:util'
import test from 'ava'
import { isFmallocError } from '../dist/index.js'
import { content, sameBits, TYPES } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { freshStore } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

// ---- made from

test('from a length: zeros of every type', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('logical', 2).toArray(), [false, false])
  t.deepEqual(store.vector('integer', 2).toArray(), [0, 0])
  t.deepEqual(store.vector('numeric', 2).toArray(), [0, 0])
  t.deepEqual(store.vector('complex', 1).toArray(), [{ re: 0, im: 0 }])
  t.deepEqual(store.vector('raw', 2).toArray(), [0, 0])
})

test('from an array', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('logical', [true, false, null]).toArray(), [true, false, null])
  t.deepEqual(store.vector('integer', [1, -2147483647, null]).toArray(), [1, -2147483647, null])
  t.deepEqual(store.vector('numeric', [0.1, -Infinity, null]).toArray(), [0.1, -Infinity, null])
  t.deepEqual(store.vector('complex', [{ re: 1, im: -2 }, null]).toArray(), [{ re: 1, im: -2 }, null])
  t.deepEqual(store.vector('raw', [0, 255]).toArray(), [0, 255])
})

test('from a typed array of another type: converted as R converts', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('logical', Int32Array.of(0, 1, 5, -2147483648)).toArray(), [
    false,
    true,
    true,
    null,
  ])
  t.deepEqual(store.vector('integer', Float64Array.of(1.9, -1.9)).toArray(), [1, -1])
  t.deepEqual(store.vector('numeric', Int32Array.of(7, -2147483648)).toArray(), [7, null])
  t.deepEqual(store.vector('integer', Uint8Array.of(0, 255)).toArray(), [0, 255])
  t.deepEqual(store.vector('numeric', Uint32Array.of(4294967295)).toArray(), [4294967295])
  t.deepEqual(store.vector('numeric', Float32Array.of(0.5)).toArray(), [0.5])
})

test('a Float64Array given as complex holds pairs, an odd one is refused', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('complex', Float64Array.of(1, 2, 3, 4)).toArray(), [
    { re: 1, im: 2 },
    { re: 3, im: 4 },
  ])
  refuses(t, () => store.vector('complex', Float64Array.of(1, 2, 3)), ['LENGTH', 'ARGUMENT', 'VALUE'])
})

test('from any iterable: a set, a generator, the values of a map', t => {
  const store = freshStore(t)
  function* squares() {
    for (let i = 0; i < 5; i++) yield i * i
  }
  t.deepEqual(store.vector('integer', squares()).toArray(), [0, 1, 4, 9, 16])
  t.deepEqual(store.vector('numeric', new Set([1.5, 2.5])).toArray(), [1.5, 2.5])
  t.deepEqual(store.vector('integer', new Map([['a', 1]]).values()).toArray(), [1])
  t.is(store.vector('integer', new Set()).length, 0)
})

test('an iterable longer than any first guess keeps all its values', t => {
  function* many() {
    for (let i = 0; i < 300_000; i++) yield i
  }
  const v = freshStore(t).vector('integer', many())
  t.is(v.length, 300_000)
  t.is(v.get(299_999), 299_999)
  t.is(v.get(131_072), 131_072)
})

test('an iterable that throws leaves nothing behind and its error comes through', t => {
  const store = freshStore(t)
  const broken = (function* () {
    yield 1
    throw new RangeError('broken pipe')
  })()
  t.throws(() => store.vector('integer', broken, { name: 'v' }), {
    instanceOf: RangeError,
    message: 'broken pipe',
  })
  t.false(store.has('v'))
  t.deepEqual(store.allocations(), [])
})

test('from a vector, also of another type and of another store', t => {
  const a = freshStore(t)
  const b = freshStore(t)
  const v = a.vector('integer', [1, null, 3])
  t.deepEqual(a.vector('numeric', v).toArray(), [1, null, 3])
  const there = b.vector('logical', v, { name: 'there' })
  t.is(there.store, b)
  t.deepEqual(there.toArray(), [true, null, true])
  t.deepEqual(b.vector('integer', v.subarray(1)).toArray(), [null, 3])
})

test('from(): plain numbers are numeric, typed arrays keep their type', t => {
  const store = freshStore(t)
  t.is(store.from([1, 2]).type, 'numeric')
  t.is(store.from([null, 1]).type, 'numeric')
  t.is(store.from([true, null]).type, 'logical')
  t.is(store.from([{ re: 1, im: 0 }]).type, 'complex')
  t.is(store.from(Int32Array.of(1)).type, 'integer')
  t.is(store.from(Uint8Array.of(1)).type, 'raw')
  t.is(store.from(Float64Array.of(1)).type, 'numeric')
  t.is(store.from(Uint32Array.of(4294967295)).get(0), 4294967295)
  t.is(store.from([null, null]).type, 'logical')
})

test('type names: double and real are numeric, any letter case', t => {
  const store = freshStore(t)
  for (const name of ['double', 'real', 'NUMERIC', 'Double', 'numeric'])
    t.is(store.vector(name, 1).type, 'numeric', name)
  t.is(store.vector('INTEGER', 1).type, 'integer')
})

test('recycled space is zeroed before it is handed out', t => {
  const store = freshStore(t)
  for (const n of [10, 5000, 2 ** 21]) {
    store.vector('raw', n).fill(0xff).destroy({ unsafe: true })
    const again = store.vector('raw', n)
    t.true(
      again.view().every(byte => byte === 0),
      `${n} bytes`,
    )
    again.destroy({ unsafe: true })
  }
})

test('zeroInitialize: false gives a vector of the length, whatever it holds', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', 1000, { zeroInitialize: false })
  t.is(v.length, 1000)
  t.is(v.fill(2).get(999), 2)
  refuses(t, () => store.vector('numeric', 1, { zeroInitialize: 'yes' }), 'ARGUMENT')
})

test('a constructor commits', t => {
  const store = freshStore(t)
  t.is(store.vector('integer', 1).state, 'committed')
  t.is(store.from([1]).state, 'committed')
})

// ---- read and written

test('get and set reach every element of every type', t => {
  const store = freshStore(t)
  const values = {
    logical: [true, false],
    integer: [2147483647, -2147483647],
    numeric: [Math.PI, -0],
    complex: [
      { re: 1, im: 2 },
      { re: -0.5, im: NaN },
    ],
    raw: [255, 0],
  }
  for (const [type, [a, b]] of Object.entries(values)) {
    const v = store.vector(type, 1000)
    t.is(v.set(0, a), v, 'returns this')
    v.set(999, b)
    t.deepEqual([v.get(0), v.get(999)], [a, b], type)
    t.deepEqual(v.get(500), store.vector(type, 1).get(0))
  }
})

test('an index outside throws OUT_OF_BOUNDS, a fractional one SUBSCRIPT', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  for (const i of [-1, 3, 4, 2 ** 31, 2 ** 32, 2 ** 53, -Infinity, Infinity]) {
    refuses(t, () => v.get(i), ['OUT_OF_BOUNDS', ...(Number.isFinite(i) ? [] : ['SUBSCRIPT'])])
    refuses(t, () => v.set(i, 9), ['OUT_OF_BOUNDS', ...(Number.isFinite(i) ? [] : ['SUBSCRIPT'])])
  }
  for (const i of [0.5, 1.0000001, NaN, -0.5]) {
    refuses(t, () => v.get(i), 'SUBSCRIPT')
    refuses(t, () => v.set(i, 9), 'SUBSCRIPT')
  }
  t.is(v.get(-0), 1)
  t.deepEqual(v.toArray(), [1, 2, 3])
})

test('an index that is no number is refused', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  for (const i of [undefined, null, {}, 0n, true, Symbol('i')])
    refuses(t, () => v.get(i), ['SUBSCRIPT', 'ARGUMENT', 'TYPE', 'VALUE'])
  // A name, and there are none.
  refuses(t, () => v.get('0'), 'OUT_OF_BOUNDS')
})

test('at counts from the end and gives undefined outside', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  t.deepEqual([v.at(0), v.at(-1), v.at(-3), v.at(3), v.at(-4)], [1, 3, 1, undefined, undefined])
})

test('set takes exact values only and changes nothing otherwise', t => {
  const store = freshStore(t)
  const cases = {
    integer: [1.5, 2147483648, -2147483648, NaN, Infinity],
    raw: [256, -1, 1.5, NaN],
    numeric: [],
    logical: [],
    complex: [],
  }
  const wrong = ['1', undefined, {}, Symbol('x'), [1], () => 1]
  for (const [type, values] of Object.entries(cases)) {
    const v = store.vector(type, 3)
    const before = v.toArray()
    for (const value of [...values, ...wrong])
      refuses(t, () => v.set(1, value), ['VALUE', 'TYPE', 'ARGUMENT', 'LENGTH', 'ENCODING'])
    t.deepEqual(v.toArray(), before, type)
  }
})

test('set of several: every subscript is checked before the first write', t => {
  const v = freshStore(t).vector('integer', [0, 0, 0, 0])
  v.set([0, 2], [5, 7])
  t.deepEqual(v.toArray(), [5, 0, 7, 0])
  v.set(Int32Array.of(1, 3), 9)
  t.deepEqual(v.toArray(), [5, 9, 7, 9])
  refuses(t, () => v.set([0, 1, 4], [1, 1, 1]), 'OUT_OF_BOUNDS')
  refuses(t, () => v.set([0, 1], [1, 1.5]), 'VALUE')
  refuses(t, () => v.set([0, -1], [1, 1]), ['OUT_OF_BOUNDS', 'SUBSCRIPT'])
  t.deepEqual(v.toArray(), [5, 9, 7, 9])
})

test('write puts arrays, typed arrays and vectors at a place', t => {
  const store = freshStore(t)
  const v = store.vector('integer', 6)
  t.is(v.write([1, 2]), v)
  v.write(Int32Array.of(3, 4), 2)
  v.write(store.vector('integer', [5, 6]), 4)
  t.deepEqual(v.toArray(), [1, 2, 3, 4, 5, 6])
  v.write(new Set([9]), 5)
  t.is(v.get(5), 9)
})

test('a write beyond the end, or of an inexact value, writes nothing', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  refuses(t, () => v.write([7, 8], 2), 'OUT_OF_BOUNDS')
  refuses(t, () => v.write([7], 4), 'OUT_OF_BOUNDS')
  refuses(t, () => v.write([7], -1), ['OUT_OF_BOUNDS', 'SUBSCRIPT', 'ARGUMENT'])
  refuses(t, () => v.write([7, 8.5]), 'VALUE')
  refuses(t, () => v.write(Float64Array.of(7, 8.5)), 'VALUE')
  refuses(t, () => v.write([7, , 9]), 'VALUE') // eslint-disable-line no-sparse-arrays
  t.deepEqual(v.toArray(), [1, 2, 3])
})

test('write of a vector onto itself, overlapping, behaves as a move', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3, 4, 5])
  v.write(v.subarray(0, 4), 1)
  t.deepEqual(v.toArray(), [1, 1, 2, 3, 4])
  v.write(v.subarray(1), 0)
  t.deepEqual(v.toArray(), [1, 2, 3, 4, 4])
})

test('readInto copies raw bits and says how many elements', t => {
  const v = freshStore(t).vector('numeric', [1.5, 2.5, 3.5])
  const target = new Float64Array(5)
  t.is(v.readInto(target), 3)
  t.deepEqual([...target], [1.5, 2.5, 3.5, 0, 0])
  t.is(v.readInto(target.subarray(0, 1), 2), 1)
  t.is(target[0], 3.5)
  t.is(v.readInto(target, 3), 0)
  refuses(t, () => v.readInto(target, 4), 'OUT_OF_BOUNDS')
  refuses(t, () => v.readInto(new Int32Array(3)), ['TYPE', 'ARGUMENT'])
  refuses(t, () => v.readInto([0, 0, 0]), ['TYPE', 'ARGUMENT'])
})

test('readInto a view of the same store', t => {
  const store = freshStore(t)
  const to = store.vector('integer', 3)
  t.is(store.vector('integer', [1, 2, 3]).readInto(to.view()), 3)
  t.deepEqual(to.toArray(), [1, 2, 3])
})

test('fill sets every element, and only of its own vector', t => {
  const store = freshStore(t)
  for (const type of Object.keys(TYPES)) {
    const before = store.vector(type, content(type, 1001, 1))
    const v = store.vector(type, 1001)
    const after = store.vector(type, content(type, 1001, 2))
    const value = { logical: true, integer: 258, numeric: 0.1, complex: { re: 1, im: -1 }, raw: 7 }[type]
    t.is(v.fill(value), v)
    t.true(
      v.toArray().every(x => assert.deepEqual(x, value) === undefined),
      type,
    )
    t.true(sameBits(before.toTypedArray(), content(type, 1001, 1)))
    t.true(sameBits(after.toTypedArray(), content(type, 1001, 2)))
  }
})

test('a view is the memory itself, both ways', t => {
  const v = freshStore(t).vector('numeric', [1, 2, 3])
  const xs = v.view()
  t.true(xs instanceof Float64Array)
  t.is(xs.length, 3)
  xs[1] = 20
  t.is(v.get(1), 20)
  v.set(2, 30)
  t.is(xs[2], 30)
  t.is(v.view().buffer, xs.buffer, 'one buffer per vector')
})

test('the view of each type: complex has pairs, an empty vector an empty one', t => {
  const store = freshStore(t)
  for (const [type, { array }] of Object.entries(TYPES)) {
    t.true(store.vector(type, 3).view() instanceof array, type)
    t.is(store.vector(type, 3).view().length, type === 'complex' ? 6 : 3, type)
    t.is(store.vector(type, 0).view().length, 0, type)
  }
})

test('the buffer of a view reaches no further than the vector', t => {
  const store = freshStore(t)
  const v = store.vector('raw', 100)
  t.is(v.view().buffer.byteLength, 100)
  t.is(store.vector('integer', 100).subarray(10, 20).view().length, 10)
})

test('a vector keeps its place while the store grows', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [1, 2, 3])
  const xs = v.view()
  for (let i = 0; i < 20; i++) store.vector('raw', 2 ** 22)
  xs[0] = 42
  t.is(v.get(0), 42)
  t.deepEqual([...xs], [42, 2, 3])
})

// ---- shared and copied

test('subarray shares, slice and copy do not', t => {
  const v = freshStore(t).vector('integer', [0, 1, 2, 3, 4])
  const shared = v.subarray(1, 4)
  const sliced = v.slice(1, 4)
  const copied = v.copy()
  t.deepEqual(
    [shared.toArray(), sliced.toArray(), copied.toArray()],
    [
      [1, 2, 3],
      [1, 2, 3],
      [0, 1, 2, 3, 4],
    ],
  )
  v.set(2, 20)
  t.deepEqual([shared.get(1), sliced.get(1), copied.get(2)], [20, 2, 2])
  shared.set(0, 10)
  t.is(v.get(1), 10)
  sliced.set(0, 99)
  t.is(v.get(1), 10)
})

test('subarray and slice take the ranges that arrays take', t => {
  const values = [0, 1, 2, 3, 4]
  const v = freshStore(t).vector('integer', values)
  const plain = Int32Array.from(values)
  for (const range of [
    [],
    [1],
    [-2],
    [1, -1],
    [-3, -1],
    [3, 1],
    [0, 99],
    [-99],
    [99],
    [2, 2],
    [undefined, 2],
  ]) {
    t.deepEqual(v.subarray(...range).toArray(), [...plain.subarray(...range)], `subarray(${range})`)
    t.deepEqual(v.slice(...range).toArray(), [...plain.slice(...range)], `slice(${range})`)
  }
})

test('a subarray of a subarray, its windows, its fill and its writes stay inside', t => {
  const v = freshStore(t).vector('integer', [0, 1, 2, 3, 4, 5, 6, 7])
  const inner = v.subarray(2, 7).subarray(1, 3)
  t.deepEqual(inner.toArray(), [3, 4])
  inner.fill(9)
  t.deepEqual(v.toArray(), [0, 1, 2, 9, 9, 5, 6, 7])
  refuses(t, () => inner.set(2, 1), 'OUT_OF_BOUNDS')
  refuses(t, () => inner.write([1, 2, 3]), 'OUT_OF_BOUNDS')
  t.is(inner.at(-1), 9)
  t.deepEqual([...inner.view()], [9, 9])
  t.is(inner.ref.start, 3)
})

test('copies and slices are temporaries until they are kept', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const copy = v.copy()
  t.is(copy.state, 'temporary')
  t.is(copy.name, null)
  t.is(copy.type, 'integer')
  t.is(copy.keep('w'), copy)
  t.is(copy.state, 'committed')
  t.is(copy.name, 'w')
  t.is(store.get('w'), copy)
  t.is(v.slice(0, 1).keep().state, 'committed')
  t.is(v.copy({ name: 'x' }).state, 'committed')
  t.is(v.copy({ keep: true }).state, 'committed')
  refuses(t, () => v.copy().keep('w'), 'EXISTS')
  t.is(v.slice(1).keep('w', { replace: true }).length, 2)
  t.is(copy.state, 'destroyed')
})

test('tidy destroys the temporaries made inside, except those returned at any depth', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3])
  const outside = v.copy()
  let lost
  const found = store.tidy(() => {
    lost = v.copy()
    const kept = v.copy().keep('kept')
    return { deep: [{ a: v.slice(1) }, 7, null], kept }
  })
  t.is(lost.state, 'destroyed')
  refuses(t, () => lost.get(0), 'DESTROYED')
  t.deepEqual(found.deep[0].a.toArray(), [2, 3])
  t.is(found.kept.state, 'committed')
  t.is(outside.get(0), 1)
  t.is(
    store.tidy(() => 5),
    5,
  )
})

// A long result used to be spread into one call while tidy looked for vectors in it: a RangeError, and the result was lost.
test('tidy returns a long array whole, with the vector at its end', t => {
  const store = freshStore(t)
  const result = store.tidy(() => [...Array(500_000).fill(0), store.vector('integer', [7]).copy()])
  t.is(result.length, 500_001)
  t.is(result.at(-1).get(0), 7)
})

test('tidy destroys them also when the function throws', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  let lost
  t.throws(
    () =>
      store.tidy(() => {
        lost = v.copy()
        throw new RangeError('no')
      }),
    { instanceOf: RangeError },
  )
  t.is(lost.state, 'destroyed')
})

test('toArray, toTypedArray and iteration agree', t => {
  const store = freshStore(t)
  for (const type of Object.keys(TYPES)) {
    const bits = content(type, 5000, 3)
    const v = store.vector(type, bits)
    const array = v.toArray()
    t.deepEqual([...v], array, type)
    t.is(array.length, 5000)
    const copy = v.toTypedArray()
    t.true(sameBits(copy, bits))
    t.not(copy.buffer, v.view().buffer)
    t.deepEqual(array[17], v.get(17))
  }
})

test('iteration is lazy and may be left', t => {
  const v = freshStore(t).vector('integer', 10_000_000)
  v.set(2, 7)
  const seen = []
  for (const x of v) {
    seen.push(x)
    if (seen.length === 3) break
  }
  t.deepEqual(seen, [0, 0, 7])
})

test('equals compares type, length and elements; NA equals NA, NaN equals NaN, 0 equals -0', t => {
  const store = freshStore(t)
  const v = store.vector('numeric', [1, null, NaN, 0])
  t.true(v.equals(store.vector('numeric', [1, null, NaN, -0])))
  t.true(v.equals(v))
  t.true(v.equals(freshStore(t).vector('numeric', [1, null, NaN, 0])))
  t.false(v.equals(store.vector('numeric', [1, NaN, null, 0])))
  t.false(v.equals(store.vector('numeric', [1, null, NaN])))
  t.false(store.vector('integer', [1]).equals(store.vector('numeric', [1])))
  t.true(store.vector('integer', 0).equals(store.vector('integer', 0)))
  refuses(t, () => v.equals([1]), ['ARGUMENT', 'TYPE'])
})

test('deepEqual never takes two vectors for equal because their fields are private', t => {
  const store = freshStore(t)
  const a = store.vector('integer', [1])
  assert.notDeepStrictEqual(a, store.vector('integer', [2]))
  assert.deepStrictEqual(a, a)
  assert.notDeepStrictEqual(store, freshStore(t))
  t.pass()
})

// ---- shown

test('inspection shows type, name, length, the first elements and the file, and never throws', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [34, null, 51], { name: 'age' })
  t.regex(util.inspect(v), /^Vector<integer> "age" \[3\] {2}34, NA, 51\b.*12 B.*store\.fm/)
  const many = store.vector('integer', 1000)
  t.true(util.inspect(many).length < 200)
  t.true(util.inspect({ v }).includes('Vector<integer>'))
  v.destroy()
  t.regex(util.inspect(v), /\(destroyed\)/)
  t.regex(util.inspect(store), /store\.fm/)
  store.close()
  t.regex(util.inspect(many), /\(closed\)/)
  t.regex(util.inspect(store), /\(closed\)/)
})

test('as text a vector is its one-line summary, never its data', t => {
  const v = freshStore(t).vector('integer', [34, null, 51], { name: 'age' })
  t.is(String(v), 'Vector<integer> "age" [3]')
  t.is(`${v}`, String(v))
})

test('an operator used on a vector says what to write instead', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  refuses(t, () => v + v, 'OPERATOR', /add/)
  refuses(t, () => +v, 'OPERATOR')
  refuses(t, () => v * 2, 'OPERATOR')
  refuses(t, () => v[0], ['OPERATOR', 'SUBSCRIPT', 'UNSUPPORTED'], /get\(0\)/)
})

test('toJSON gives the values, NA and NaN as null; above a million it names the way out', t => {
  const store = freshStore(t)
  t.is(JSON.stringify(store.vector('numeric', [1, null, NaN])), '[1,null,null]')
  t.is(JSON.stringify({ v: store.vector('logical', [true, null]) }), '{"v":[true,null]}')
  t.is(JSON.stringify(store.vector('raw', 0)), '[]')
  t.is(JSON.parse(JSON.stringify(store.vector('raw', 1e6))).length, 1e6)
  refuses(t, () => JSON.stringify(store.vector('raw', 1e6 + 1)), 'TOO_LARGE', /toArray/)
})

test('toArray refuses more than 2^27 elements, before it makes any', t => {
  const v = freshStore(t).vector('raw', 2 ** 27 + 1)
  refuses(t, () => v.toArray(), 'TOO_LARGE')
})

// ---- hints

test('advise, prefetch and release change nothing', async t => {
  const store = freshStore(t)
  const bits = content('numeric', 200_000, 4)
  const v = store.vector('numeric', bits, { name: 'v' })
  for (const advice of ['sequential', 'random', 'willneed', 'dontneed']) t.is(v.advise(advice), v)
  t.is(v.advise('willneed', { start: 10, end: 20 }), v)
  t.is(await v.prefetch(), undefined)
  t.is(v.release(), undefined)
  t.true(sameBits(v.toTypedArray(), bits))
  refuses(t, () => v.advise('soon'), 'ARGUMENT')
  refuses(t, () => v.advise('willneed', { start: 0, end: 200_001 }), ['OUT_OF_BOUNDS', 'ARGUMENT'])
})

test('prefetch listens to its signal', async t => {
  const v = freshStore(t).vector('raw', 2 ** 20)
  const reason = new Error('changed my mind')
  await t.throwsAsync(() => v.prefetch({ signal: AbortSignal.abort(reason) }), { is: reason })
})

// ---- destroyed

test('destroy: true once, then false; every handle on it is dead, others live', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const other = store.vector('integer', [4], { name: 'w' })
  const part = v.subarray(1)
  t.true(v.destroy())
  t.false(v.destroy())
  t.is(v.state, 'destroyed')
  t.false(store.has('v'))
  refuses(t, () => v.get(0), 'DESTROYED')
  refuses(t, () => v.view(), 'DESTROYED')
  refuses(t, () => part.get(0), 'DESTROYED')
  refuses(t, () => v.copy(), 'DESTROYED')
  refuses(t, () => v.keep('again'), 'DESTROYED')
  refuses(t, () => store.set('v', v), 'DESTROYED')
  refuses(t, () => store.vector('integer', v), 'DESTROYED')
  t.is(v.length, 3)
  t.is(other.get(0), 4)
})

test('a view of a destroyed vector keeps its bytes, also after unsafe', t => {
  const store = freshStore(t)
  for (const unsafe of [false, true]) {
    const v = store.vector('integer', 1000).fill(7)
    const xs = v.view()
    t.true(v.destroy({ unsafe }))
    store.syncNow()
    for (let i = 0; i < 50; i++) store.vector('integer', 1000).fill(9)
    t.true(xs.every(x => x === 7))
    t.is(xs.length, 1000)
  }
})

test('allocate gives file-backed memory that any code can fill', async t => {
  const sum = await inChild(
    t,
    ({ fm, args, fs, assert }) => {
      const store = fm.openFmalloc(args.file)
      const memory = store.allocate(100_000)
      assert.ok(memory instanceof Uint8Array)
      assert.equal(memory.length, 100_000)
      assert.ok(memory.every(byte => byte === 0))
      const fd = fs.openSync(process.execPath, 'r')
      assert.equal(fs.readSync(fd, memory, 0, 100_000, 0), 100_000)
      const real = fs.readFileSync(process.execPath).subarray(0, 100_000)
      assert.ok(Buffer.from(memory.buffer, memory.byteOffset, memory.length).equals(real))
      assert.equal(store.allocate(0).length, 0)
      assert.equal(store.size, 0)
      store.close()
      return memory.length === 0 || memory[0] === 0
    },
    { file: freshStoreClosed(t) },
  )
  t.true(sum)
})

test('allocate refuses what is no size', t => {
  const store = freshStore(t)
  for (const n of [-1, 1.5, NaN, '8', null, undefined, 2 ** 53])
    refuses(t, () => store.allocate(n), ['ARGUMENT', 'TOO_LARGE', 'LENGTH', 'NO_SPACE'])
})

test('later types and methods say UNSUPPORTED, with nothing made', async t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  for (const type of ['float32', 'int8', 'int16', 'int64'])
    refuses(t, () => store.vector(type, 1), 'UNSUPPORTED')
  t.deepEqual(v.toArray(), [1])
  await rejects(t, () => v.toArrow(), 'UNSUPPORTED')
  t.is(v.sealed, false)
  t.is(v.dim, null)
  t.is(v.names, null)
  t.is(v.kind, 'vector')
  t.is(store.allocations().length, 1)
  t.false(isFmallocError(new Error('x')))
})

function freshStoreClosed(t) {
  const store = freshStore(t)
  store.close()
  return store.path
}

test('an element whose getter makes another vector does not write into it', t => {
  const store = freshStore(t)
  let inner
  const source = [1, 2, 3]
  Object.defineProperty(source, 1, {
    get: () => {
      inner = store.vector('integer', [70, 80, 90])
      return 20
    },
  })
  const outer = store.vector('integer', source)
  t.deepEqual(outer.toArray(), [1, 20, 3])
  t.deepEqual(inner.toArray(), [70, 80, 90])
  t.deepEqual(store.vector('integer', new Int32Array([5, 6])).toArray(), [5, 6])
})

test('small typed arrays of every kind come in whole, odd complex pairs are refused', t => {
  const store = freshStore(t)
  t.deepEqual(store.vector('numeric', new Float64Array([1.5, NaN])).toArray(), [1.5, NaN])
  t.deepEqual(store.vector('raw', new Uint8Array([0, 255])).toArray(), [0, 255])
  t.deepEqual(store.vector('logical', new Int32Array([0, 7, -2147483648])).toArray(), [false, true, null])
  t.deepEqual(store.vector('complex', new Float64Array([1, 2, 3, 4])).toArray(), [
    { re: 1, im: 2 },
    { re: 3, im: 4 },
  ])
  refuses(t, () => store.vector('complex', new Float64Array([1, 2, 3])), 'LENGTH')
  t.deepEqual(store.vector('numeric', new Float64Array(0)).toArray(), [])
  for (const n of [511, 512, 513, 4096]) {
    const values = Float64Array.from({ length: n }, (_, i) => i)
    t.deepEqual(store.vector('numeric', values).toTypedArray(), values)
  }
})
