// Operators and mathematics through the public API against rules written down here, for every operator, every pair of types and every odd value:
// the danger is an NA that becomes a number, a type that is not R's, a method that differs from its free function.

import fs from 'node:fs'
import test from 'ava'
import * as api from '../dist/index.js'
import { sameBits } from './helpers/bytes.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

const { captureWarnings, int, openFmalloc, createMmapVector } = api

// ---- the rules. null is NA; types rank logical, integer, numeric.

const RANK = ['logical', 'integer', 'numeric']
const ARITH = ['add', 'sub', 'mul', 'div', 'pow', 'mod', 'idiv']
const COMPARE = ['eq', 'ne', 'lt', 'le', 'gt', 'ge']
const LOGIC = ['and', 'or', 'xor']
const VALUES = {
  logical: [null, false, true],
  integer: [null, -2147483647, -7, -1, 0, 1, 2, 7, 46341, 2147483647],
  numeric: [null, NaN, Infinity, -Infinity, -7.5, -1, -0, 0, 1, 2, 3.25, 1e300, 5e-324],
}

function real(op, x, y) {
  if (op === 'pow' && (y === 0 || x === 1)) return 1
  if (x === null || y === null) return null
  if (op === 'add') return x + y
  if (op === 'sub') return x - y
  if (op === 'mul') return x * y
  if (op === 'div') return x / y
  if (op === 'pow') {
    // Of a negative number there is no infinite power, and of minus infinity no broken one.
    if (x < 0 && !Number.isFinite(y)) return NaN
    if (x === -Infinity && !Number.isInteger(y)) return NaN
    // Zero has no sign here.
    if (x === 0) return y > 0 ? 0 : y < 0 ? Infinity : NaN
    return x ** y
  }
  if (op === 'mod') {
    const rest = x % y
    return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest
  }
  // A quotient too small for a double is one all the same.
  return x !== 0 && x / y === 0 && x < 0 !== y < 0 ? -1 : Math.floor(x / y)
}

/** [value, overflowed]: integers are exact, and what does not fit is NA. */
function whole(op, x, y) {
  if (x === null || y === null) return [null, false]
  if ((op === 'mod' || op === 'idiv') && y === 0) return [null, false]
  const value = Number(
    op === 'add'
      ? BigInt(x) + BigInt(y)
      : op === 'sub'
        ? BigInt(x) - BigInt(y)
        : op === 'mul'
          ? BigInt(x) * BigInt(y)
          : op === 'mod'
            ? ((BigInt(x) % BigInt(y)) + BigInt(y)) % BigInt(y)
            : Math.floor(x / y),
  )
  const fits = Math.abs(value) <= 2147483647
  return [fits ? value + 0 : null, !fits]
}

function truth(x) {
  return x === null || Number.isNaN(x) ? null : x !== 0 && x !== false
}

function logic(op, x, y) {
  const [a, b] = [truth(x), truth(y)]
  if (op === 'and') return a === false || b === false ? false : a === null || b === null ? null : true
  if (op === 'or') return a === true || b === true ? true : a === null || b === null ? null : false
  return a === null || b === null ? null : a !== b
}

function compared(op, x, y) {
  if (x === null || y === null || Number.isNaN(x) || Number.isNaN(y)) return null
  const [a, b] = [Number(x), Number(y)]
  return { eq: a === b, ne: a !== b, lt: a < b, le: a <= b, gt: a > b, ge: a >= b }[op]
}

/** The type and the values of `xs op ys`, element by element, and whether integers overflowed. */
function reference(op, xType, xs, yType, ys) {
  if (LOGIC.includes(op)) return { type: 'logical', values: xs.map((x, i) => logic(op, x, ys[i])) }
  if (COMPARE.includes(op)) return { type: 'logical', values: xs.map((x, i) => compared(op, x, ys[i])) }
  const rank = Math.max(RANK.indexOf(xType), RANK.indexOf(yType))
  const number = x => (typeof x === 'boolean' ? Number(x) : x)
  const isReal = rank === 2 || op === 'div' || op === 'pow'
  if (isReal) return { type: 'numeric', values: xs.map((x, i) => real(op, number(x), number(ys[i]))) }
  const all = xs.map((x, i) => whole(op, number(x), number(ys[i])))
  return { type: 'integer', values: all.map(([v]) => v), overflows: all.some(([, over]) => over) }
}

/** Whether two values are the same: NA is no NaN. The sign of a zero counts where it is given by the formula. */
function alike(op, a, b) {
  if (op === 'mod' || op === 'idiv' || op === 'mul' || (op === 'pow' && a === 0))
    return Object.is(a, b) || (a === 0 && b === 0)
  if (op === 'pow' && a !== null && b !== null && Number.isFinite(a) && Number.isFinite(b))
    return Math.abs(a - b) <= 4 * Number.EPSILON * Math.abs(b)
  return Object.is(a, b)
}

/** Of remainders only what is finite is told by a formula of one line; R's answers for the rest are among the goldens. */
function isTold(op, x, y) {
  if (op !== 'mod' && op !== 'idiv') return true
  if (Number(y) === 0 && y !== null) return false
  if (x === null || y === null) return true
  if (x !== 0 && Math.abs(x) < 1e-300) return false
  return Number.isFinite(Number(x)) && Number.isFinite(Number(y)) && Math.abs(x) < 1e15 && Number(y) !== 0
}

for (const op of [...ARITH, ...COMPARE, ...LOGIC]) {
  test(`${op}: the whole table of odd values, for every pair of types, as method and as function`, t => {
    const store = freshStore(t, { mode: 'scratch' })
    for (const xType of RANK) {
      for (const yType of RANK) {
        const pairs = VALUES[xType]
          .flatMap(x => VALUES[yType].map(y => [x, y]))
          .filter(([x, y]) => isTold(op, x, y))
        // Many times over, so that every lane of a register meets every pair.
        const [xs, ys] = [0, 1].map(k => Array.from({ length: 5 }, () => pairs.map(p => p[k])).flat())
        const want = reference(op, xType, xs, yType, ys)
        const [x, y] = [store.vector(xType, xs), store.vector(yType, ys)]
        const { value: got, warnings } = captureWarnings(() => x[op](y))
        t.is(got.type, want.type, `${xType} ${op} ${yType}`)
        const values = got.toArray()
        const wrong = values.findIndex((v, i) => !alike(op, v, want.values[i]))
        if (wrong >= 0)
          t.fail(
            `${xType} ${xs[wrong]} ${op} ${yType} ${ys[wrong]}: ${values[wrong]}, not ${want.values[wrong]}`,
          )
        t.deepEqual(
          warnings.map(w => w.code),
          want.overflows ? ['integer-overflow'] : [],
          `${xType} ${yType}`,
        )
        const { value: free } = captureWarnings(() => api[op](x, y))
        t.true(sameBits(free.toTypedArray(), got.toTypedArray()))
        // One value beside a vector, on either side, crosses another way than a vector does.
        for (const value of VALUES[yType]) {
          const one = yType === 'integer' && value !== null ? int(value) : value
          const alone = captureWarnings(() => x[op](one)).value
          const filled = captureWarnings(() =>
            x[op](
              store.vector(
                alone === null ? yType : yType,
                xs.map(() => value),
              ),
            ),
          ).value
          if (value !== null || yType === 'logical') t.is(alone.type, filled.type)
          if (alone.type === filled.type)
            t.true(sameBits(alone.toTypedArray(), filled.toTypedArray()), `${op} ${value}`)
          const left = captureWarnings(() => api[op](one, x)).value
          const right = captureWarnings(() =>
            store
              .vector(
                yType,
                xs.map(() => value),
              )
              [op](x),
          ).value
          if (left.type === right.type)
            t.true(sameBits(left.toTypedArray(), right.toTypedArray()), `${value} ${op}`)
        }
        for (const v of [x, y, got, free]) v.destroy()
      }
    }
  })
}

test('functions of one argument: NA stays NA, NaN stays NaN, and the values are those of Math', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const plain =
    'abs sign sqrt floor trunc exp expm1 log1p log2 log10 cos sin tan acos asin atan cosh sinh tanh acosh asinh atanh'
  for (const name of [...plain.split(' '), 'ceiling', 'log']) {
    const f = Math[name === 'ceiling' ? 'ceil' : name]
    const xs = [null, NaN, 0, 0.25, 0.5, 1, 1.5, 2, 3, 10, -0.5, -2]
    const x = store.vector('numeric', xs)
    const { value: got, warnings } = captureWarnings(() => x[name]())
    const values = got.toArray()
    for (const [i, at] of xs.entries()) {
      const want = at === null ? null : f(at)
      const ok =
        want === null || !Number.isFinite(want)
          ? Object.is(values[i], want)
          : Math.abs(values[i] - want) <= 4 * Number.EPSILON * Math.abs(want)
      t.true(ok, `${name}(${at}): ${values[i]}, not ${want}`)
    }
    const makesNaN = xs.some(at => at !== null && !Number.isNaN(at) && Number.isNaN(f(at)))
    t.deepEqual(
      warnings.map(w => w.code),
      makesNaN ? ['nan-produced'] : [],
      name,
    )
    t.true(sameBits(captureWarnings(() => api[name](x)).value.toTypedArray(), got.toTypedArray()))
    const whole = captureWarnings(() => store.vector('integer', [0, 1, null])[name]()).value
    t.is(whole.type, name === 'abs' ? 'integer' : 'numeric')
    t.is(whole.get(2), null)
  }
  for (const name of ['gamma', 'lgamma', 'digamma', 'trigamma', 'cospi', 'sinpi', 'tanpi']) {
    t.deepEqual(store.vector('numeric', [null, NaN])[name]().toArray(), [null, NaN])
  }
  t.deepEqual(store.vector('numeric', [5, 6]).gamma().toArray(), [24, 120])
  t.deepEqual(store.vector('numeric', [0, 0.5, 1]).cospi().toArray(), [1, 0, -1])
  t.deepEqual(store.vector('numeric', [2.567, 1234.5]).round(2).toArray(), [2.57, 1234.5])
  t.deepEqual(store.vector('numeric', [2.567, 1234.5]).signif(2).toArray(), [2.6, 1200])
  t.deepEqual(store.vector('numeric', [8, 100]).log([2, 10]).toArray(), [3, 2])
  t.deepEqual(store.vector('numeric', [0, 1]).atan2([1, 0]).toArray(), [0, Math.PI / 2])
})

test('complex numbers, raw bytes and text where R has something to say of them', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const z = store.vector('complex', [{ re: 1, im: 2 }, null])
  t.deepEqual(z.mul({ re: 0, im: 1 }).toArray(), [{ re: -2, im: 1 }, null])
  t.deepEqual(z.add(1).toArray(), [{ re: 2, im: 2 }, null])
  t.deepEqual(z.eq(z).toArray(), [true, null])
  t.deepEqual(z.abs().toArray(), [Math.sqrt(5), null])
  t.deepEqual(z.isNa().toArray(), [false, true])
  refuses(t, () => z.mod(2), 'COMPLEX', /invalid operation on complex numbers/)
  refuses(t, () => z.lt(2), 'COMPLEX')
  refuses(t, () => z.floor(), 'COMPLEX')
  const r = store.vector('raw', [0b1100, 0xff])
  t.deepEqual(r.and(store.vector('raw', [0b1010])).toArray(), [0b1000, 0b1010])
  t.deepEqual(r.not().toArray(), [0xf3, 0])
  t.is(r.or(r).type, 'raw')
  t.deepEqual(r.eq(12).toArray(), [true, false])
  refuses(t, () => r.add(1), 'NON_NUMERIC', /non-numeric argument to binary operator/)
  refuses(t, () => r.exp(), 'NON_NUMERIC', /non-numeric argument to mathematical function/)
  const s = store.vector('character', ['b', null, '10', 'é'])
  t.deepEqual(s.lt('c').toArray(), [true, null, true, false])
  t.deepEqual(s.eq(10).toArray(), [false, null, true, false])
  t.deepEqual(api.gt('b', s).toArray(), [false, null, true, false])
  t.deepEqual(s.ge(['a', 'a', null, 'é']).toArray(), [true, null, null, true])
  t.deepEqual(s.isNa().toArray(), [false, true, false, false])
  refuses(t, () => s.add(1), 'NON_NUMERIC')
  refuses(t, () => s.and(true), 'TYPE', /operations are possible only for/)
  refuses(t, () => s.not(), 'TYPE', /invalid argument type/)
  refuses(t, () => s.neg(), 'NON_NUMERIC', /invalid argument to unary operator/)
})

test('running values', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('integer', [3, 1, null, 5], { names: ['a', 'b', 'c', 'd'] })
  t.deepEqual(x.cumsum().toArray(), [3, 4, null, null])
  t.is(x.cumsum().type, 'integer')
  t.deepEqual(x.cumprod().toArray(), [3, 3, null, null])
  t.is(x.cumprod().type, 'numeric')
  t.deepEqual(x.cummax().toArray(), [3, 3, null, null])
  t.deepEqual(x.cummin().names.toArray(), ['a', 'b', 'c', 'd'])
  const { warnings } = captureWarnings(() => store.vector('integer', [2147483647, 1]).cumsum())
  t.deepEqual(
    warnings.map(w => w.code),
    ['integer-overflow'],
  )
})

// ---- attributes and parts

test("extents, dimnames and names go where R puts them; the user's attributes stay behind", t => {
  const store = freshStore(t, { mode: 'scratch' })
  const m = store.matrix('numeric', [2, 2], { values: [1, 2, 3, 4], dimnames: [['a', 'b'], null] })
  m.setAttribute('unit', 'kg')
  for (const r of [m.add(1), api.add([1, 2], m), m.exp(), m.lt(3), m.isNa(), m.neg()]) {
    t.deepEqual(r.dim, [2, 2])
    t.deepEqual(r.dimnames[0].toArray(), ['a', 'b'])
    t.is(r.getAttribute('unit'), undefined)
    t.is(r.state, 'temporary')
  }
  const x = store.vector('numeric', [1, 2, 3, 4], { names: ['p', 'q', 'r', 's'] })
  t.deepEqual(x.add([1, 2]).names.toArray(), ['p', 'q', 'r', 's'])
  t.is(store.vector('numeric', 8).add(x).names, null)
  t.is(x.add(m).names, null)
  refuses(t, () => m.add(store.matrix('numeric', [4, 1])), 'NON_CONFORMABLE')
  refuses(t, () => m.add(store.vector('numeric', 5)), 'DIM')
})

test('parts: a subarray takes its names along, a column those of its rows, at odd places', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const n = 5000
  const values = Float64Array.from({ length: n }, (_, i) => i)
  const x = store.vector('numeric', values, { names: Array.from(values, v => `n${v}`) })
  const part = x.subarray(3, 4998)
  const sum = part.add(x.subarray(0, 4995))
  t.is(sum.get(0), 3)
  t.is(sum.get(-1 + 4995), 4997 + 4994)
  t.is(sum.names.get(0), 'n3')
  const m = store.matrix('integer', [3, 2], { values: [1, 2, 3, 4, 5, 6], dimnames: [['a', 'b', 'c'], null] })
  const column = m.column(1).mul(int(2))
  t.deepEqual(column.toArray(), [8, 10, 12])
  t.deepEqual(column.names.toArray(), ['a', 'b', 'c'])
  t.is(column.type, 'integer')
})

// ---- where results go

test("results go to into, else the operand's store, else past a reader to one that can be written", t => {
  const path = freshPath(t)
  const first = openFmalloc(path)
  first.vector('numeric', [1, 2, 3], { name: 'x' })
  first.close()
  const reader = open(t, path, { readOnly: true })
  const other = freshStore(t)
  const x = reader.getVector('x', 'numeric')
  const y = other.vector('numeric', [10, 20, 30])
  t.deepEqual(x.add(y).toArray(), [11, 22, 33])
  t.not(x.add(y).store, reader)
  t.is(y.add(x).store, other)
  t.is(x.add(y, { into: other }).store, other)
  refuses(t, () => x.add(1, { into: reader }), 'READ_ONLY')
  refuses(t, () => x.add(1, { into: {} }), 'ARGUMENT')
  const kept = x.add(y, { into: other, name: 'sum' })
  t.is(other.get('sum'), kept)
  refuses(t, () => x.add(y, { into: other, name: 'sum' }), 'EXISTS')
  t.deepEqual(x.add(1, { into: other, name: 'sum', replace: true }).toArray(), [2, 3, 4])
  t.is(y.exp({ keep: true }).state, 'committed')
  refuses(t, () => y.exp({ nmae: 'x' }), 'ARGUMENT')
})

test('a plain mapped file is an operand like any other', t => {
  const file = freshPath(t, 'plain.bin')
  fs.writeFileSync(file, Buffer.from(Float64Array.of(1, 2, 3).buffer))
  const f = createMmapVector(file, undefined, { type: 'numeric' })
  t.deepEqual(f.mul(2).toArray(), [2, 4, 6])
  t.is(typeof f.mul(2).store.path, 'string')
  t.deepEqual(f.addInPlace(1).toArray(), [2, 3, 4])
  t.is(fs.readFileSync(file).readDoubleLE(0), 2)
  f.destroy()
  refuses(t, () => f.mul(2), 'DESTROYED')
})

// ---- what is refused

test('what is no operand, and operands that died', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [1, 2])
  for (const bad of [undefined, {}, () => 1, Symbol('s'), new Date(), new Map()])
    refuses(t, () => x.add(bad), 'VALUE')
  refuses(t, () => x.add([1, undefined]), 'VALUE')
  refuses(t, () => x.add(store.dataFrame({ a: [1, 2] })), ['TYPE', 'VALUE'])
  refuses(t, () => x.add(store.list([x])), 'NON_NUMERIC')
  refuses(t, () => x.eq(store.list([x])), 'TYPE')
  refuses(t, () => x.add(10n), ['TYPE', 'UNSUPPORTED'])
  refuses(t, () => api.add(1, 2), 'ARGUMENT', /at least one operand must be a Vector/)
  refuses(t, () => api.exp(1), 'ARGUMENT')
  const dead = store.vector('numeric', [1])
  dead.destroy()
  refuses(t, () => x.add(dead), 'DESTROYED')
  refuses(t, () => dead.add(x), 'DESTROYED')
  refuses(t, () => dead.exp(), 'DESTROYED')
  const other = freshStore(t)
  const gone = other.vector('numeric', [1])
  other.close()
  refuses(t, () => x.add(gone), 'CLOSED')
  refuses(t, () => gone.add(x), 'CLOSED')
})

test('an operand whose elements are being read may close the store or destroy the other operand', t => {
  const evil = act => {
    const values = [1, 2, 3]
    Object.defineProperty(values, 1, { get: () => (act(), 2), enumerable: true })
    return values
  }
  const store = freshStore(t)
  const x = store.vector('numeric', [1, 2, 3])
  refuses(t, () => x.add(evil(() => x.destroy())), 'DESTROYED')
  const y = store.vector('numeric', [1, 2, 3])
  refuses(t, () => y.addInPlace(evil(() => y.destroy())), 'DESTROYED')
  const z = store.vector('numeric', [1, 2, 3])
  refuses(t, () => z.add(evil(() => store.close())), 'CLOSED')
  refuses(t, () => z.addInPlace(1), 'CLOSED')
})

test('each warning once in a call, whatever the length', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('integer', new Int32Array(200_000).fill(2147483647))
  const { warnings } = captureWarnings(() => x.add(store.vector('integer', [1, 2, 3])))
  t.deepEqual(warnings.map(w => w.code).sort(), ['integer-overflow', 'recycle-remainder'])
  t.true(warnings.every(w => w.operation === 'add'))
  const many = captureWarnings(() => store.vector('numeric', new Float64Array(200_000).fill(-1)).sqrt())
  t.deepEqual(
    many.warnings.map(w => [w.code, w.operation]),
    [['nan-produced', 'sqrt']],
  )
})

test('ten thousand results in a loop stay within a small store', t => {
  const store = freshStore(t, { mode: 'scratch', maxSize: '32 MiB' })
  const a = store.vector('numeric', new Float64Array(10_000).fill(1))
  const b = store.vector('numeric', new Float64Array(10_000).fill(2))
  let last
  for (let i = 0; i < 10_000; i++) last = a.add(b)
  t.is(last.get(9_999), 3)
  t.true(store.nbytes <= 32 * 2 ** 20)
})
