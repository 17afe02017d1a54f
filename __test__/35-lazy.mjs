// Lazy expressions: the danger is that they give something else than the operations one by one (bits, attributes, warnings, errors), that what
// is built changes under the hand, or that something stays behind.

import util from 'node:util'
import test from 'ava'
import { add, captureWarnings, combine, cumsum, int, sum } from '../dist/index.js'
import { random, sameBits } from './helpers/bytes.mjs'
import { freshStore } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'

/** Everything that can be told of a vector. */
function pictured(v) {
  return {
    kind: v.kind,
    type: v.type,
    dim: v.dim === undefined ? null : v.dim,
    names: v.names?.toArray() ?? null,
    dimnames: v.dimnames?.map(names => names?.toArray() ?? null) ?? null,
    values: v.type === 'character' ? v.toArray() : null,
    length: v.length,
  }
}

function same(t, got, want, what) {
  t.deepEqual(pictured(got), pictured(want), what)
  if (got.type !== 'character') t.true(sameBits(got.toTypedArray(), want.toTypedArray()), `bits of ${what}`)
}

/** What a function gives or throws, and of what it warned: each code once. */
function told(f) {
  const { value, warnings } = captureWarnings(() => {
    try {
      return { value: f() }
    } catch (error) {
      return { error }
    }
  })
  return { ...value, codes: [...new Set(warnings.map(w => w.code))].sort(), count: warnings.length }
}

const OPS = 'add sub mul div pow mod idiv eq ne lt le gt ge and or xor atan2'.split(' ')
const MATHS =
  'abs sign sqrt floor ceiling trunc exp expm1 log1p log log2 log10 cos sin tan tanh gamma digamma'.split(' ')

/** Operands of every kind: vectors of all types, lengths that divide and do not, shapes, names, parts, values, arrays. */
function operandsOf(store) {
  const reals = Float64Array.from(
    { length: 12 },
    (_, i) => [1.5, -2, 0, NaN, Infinity, 1e300][i % 6] * (i - 3),
  )
  const named = (values, type = 'numeric') =>
    store.vector(type, values, { names: values.map((_, i) => `n${i}`) })
  const cols = {
    dimnames: [
      ['r1', 'r2', 'r3'],
      ['a', 'b', 'c', 'd'],
    ],
  }
  return [
    store.vector('numeric', reals),
    named([1, null, -3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    named([2, null, 0, -1, 5, 7], 'integer'),
    store.vector('integer', [2147483647, -2147483647, null, 3]),
    store.vector('logical', [true, null, false]),
    store.vector('raw', [1, 255, 0]),
    store.vector('complex', [{ re: 1, im: -2 }, null, { re: NaN, im: 0 }]),
    store.vector('character', ['1', 'b', null, 'TRUE']),
    store.vector('numeric', [7]),
    store.vector('numeric', []),
    store.vector('logical', []),
    store.matrix('numeric', [3, 4], { values: reals, ...cols }),
    store.matrix('integer', [3, 4], {
      values: Array.from({ length: 12 }, (_, i) => (i === 5 ? null : i - 6)),
    }),
    store.matrix('numeric', [1, 1], { values: [3] }),
    store.matrix('numeric', [2, 2], { values: [1, 2, 3, 4] }),
    store.array('numeric', [2, 3, 2], { values: Array.from(reals) }),
    named([9, 8, 7, 6, 5, 4, 3]).subarray(1, 6),
    store.matrix('numeric', [3, 4], { values: Array.from(reals), ...cols }).column(1),
    3,
    -0,
    int(2),
    true,
    null,
    'b',
    { re: 0, im: 1 },
    [1, 2, null],
    ['x', '1'],
    Int32Array.of(5, 6),
    [],
  ]
}

/** Random programs over the operands: the same steps lazily and one by one. */
function compare(t, operands, seed, size) {
  const dice = random(seed)
  const vectors = operands.filter(x => x !== null && typeof x === 'object' && 'lazy' in x)
  const first = dice.pick(vectors)
  let parts = [{ lazy: first.lazy(), eager: first, text: 'x0' }]
  for (let k = 0; k < size; k++) {
    const x = dice.pick(parts)
    const y = dice.below(3) === 0 ? dice.pick(parts) : undefined
    const other = y === undefined ? dice.pick(operands) : undefined
    const name = dice.pick(OPS)
    const choice = dice.below(8)
    const step = (a, b, isLazy) => {
      if (choice === 0) return isLazy ? a.apply(MATHS[k % MATHS.length]) : a[MATHS[k % MATHS.length]]()
      if (choice === 1) return a.neg()
      if (choice === 2) return a.not()
      if (choice === 3) return a.isNa()
      return a[name](b)
    }
    const eager = told(() => step(x.eager, y === undefined ? other : y.eager, false))
    const text = `${seed}/${k}: ${choice} ${name} of ${x.text} and ${y?.text ?? util.inspect(other)}`
    const lazy = told(() => {
      const built = step(x.lazy, y === undefined ? other : y.lazy, true)
      built.evaluate()
      return built
    })
    if (eager.error !== undefined) {
      t.is(lazy.error?.message, eager.error.message, text)
      t.deepEqual(
        [lazy.error?.code, lazy.error?.details.kind],
        [eager.error.code, eager.error.details.kind],
        text,
      )
      continue
    }
    if (lazy.error !== undefined) {
      t.fail(`${text}: ${lazy.error.stack}`)
      continue
    }
    const whole = told(() => lazy.value.evaluate())
    t.is(whole.count, whole.codes.length, `each warning once: ${text}`)
    for (const code of eager.codes) t.true(whole.codes.includes(code), `${code}: ${text}`)
    same(t, whole.value, eager.value, text)
    t.is(lazy.value.exprType, eager.value.type, text)
    t.is(lazy.value.length, eager.value.length, text)
    for (const f of ['sum', 'prod', 'mean', 'min', 'max', 'range', 'any', 'all']) {
      const naRm = seed % 2 === 0
      const got = told(() => lazy.value[f]({ naRm }))
      const want = told(() => eager.value[f]({ naRm }))
      t.is(got.error?.message, want.error?.message, `${f} ${text}`)
      t.deepEqual(got.value, want.value, `${f} ${text}`)
    }
    parts = [...parts, { lazy: lazy.value, eager: eager.value, text }]
  }
}

for (const [from, to] of [
  [1, 40],
  [41, 80],
  [81, 120],
]) {
  test(`random expressions give what their operations give one by one (${from} to ${to})`, t => {
    const operands = operandsOf(freshStore(t, { mode: 'scratch' }))
    for (let seed = from; seed <= to; seed++) compare(t, operands, seed, 10)
  })
}

test('across blocks and chunks: a fused pass over 200 001 elements with recycled parts', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const n = 200_001
  const x = store.vector(
    'numeric',
    Float64Array.from({ length: n }, (_, i) => Math.sin(i) * 1e3),
  )
  const y = store.vector(
    'integer',
    Int32Array.from({ length: 7 }, (_, i) => i - 3),
  )
  const { value: want } = captureWarnings(() => x.mul(2).add(y.add(1).exp()).sub(x.div(y)))
  const e = x.lazy().mul(2).add(y.lazy().add(1).apply('exp')).sub(x.lazy().div(y))
  const { value: got, warnings } = captureWarnings(() => e.evaluate())
  same(t, got, want, 'long')
  t.deepEqual(
    warnings.map(w => [w.code, w.operation]),
    [['recycle-remainder', 'evaluate']],
  )
  t.is(captureWarnings(() => e.sum()).value, want.sum())
  t.is(captureWarnings(() => e.mean()).value, want.mean())
})

test('a summary of an expression leaves nothing in the store', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', new Float64Array(1e6).fill(1.5))
  const before = store.diagnose().runtime
  t.is(x.lazy().mul(x).add(1).sum(), 1e6 * 3.25)
  t.deepEqual(store.diagnose().runtime, before)
})

test('arrays are copied when the expression is built, vectors are read when it is evaluated', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [1, 2, 3])
  const plain = [10, 20, 30]
  const typed = Float64Array.of(1, 1, 1)
  const z = { re: 1, im: 1 }
  const zs = [z, z, z]
  const e = x.lazy().add(plain).add(typed)
  const c = x.lazy().add(zs)
  plain[0] = 99
  typed[0] = 99
  z.re = 99
  t.deepEqual(e.evaluate().toArray(), [12, 23, 34])
  t.deepEqual(c.evaluate().toArray(), [
    { re: 2, im: 1 },
    { re: 3, im: 1 },
    { re: 4, im: 1 },
  ])
  x.set(0, 5)
  t.deepEqual(e.evaluate().toArray(), [16, 23, 34])
})

test('an expression used a thousand million times is computed once; a deep one overflows no stack', t => {
  const store = freshStore(t, { mode: 'scratch' })
  let e = store.vector('numeric', [1, -1]).lazy()
  for (let i = 0; i < 30; i++) e = e.add(e)
  t.deepEqual(e.evaluate().toArray(), [2 ** 30, -(2 ** 30)])
  let d = store.vector('numeric', [0]).lazy()
  for (let i = 0; i < 5000; i++) d = d.add(1)
  t.is(d.sum(), 5000)
  t.true(util.inspect(d).length < 300)
})

test('types are refused when the expression is built, shapes when it is evaluated', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [1, 2])
  const text = store.vector('character', ['a'])
  refuses(t, () => x.lazy().add(text), 'NON_NUMERIC', /non-numeric argument to binary operator/)
  refuses(t, () => x.lazy().add('a'), 'NON_NUMERIC')
  refuses(t, () => x.lazy().and('a'), 'TYPE', /operations are possible only for/)
  refuses(t, () => x.lazy().add({ re: 1, im: 2 }).mod(2), 'COMPLEX')
  refuses(t, () => text.lazy().apply('exp'), 'NON_NUMERIC', /non-numeric argument to mathematical function/)
  refuses(t, () => text.lazy().neg(), 'NON_NUMERIC', /invalid argument to unary operator/)
  refuses(t, () => x.lazy().add(undefined), 'VALUE')
  refuses(t, () => x.lazy().add([1, undefined]), 'VALUE')
  refuses(t, () => x.lazy().add({}), 'VALUE')
  refuses(t, () => x.lazy().add(store.list([x])), 'NON_NUMERIC')
  refuses(t, () => x.lazy().add(10n), ['TYPE', 'UNSUPPORTED'])
  refuses(t, () => x.lazy().apply('constructor'), 'ARGUMENT')
  refuses(t, () => x.lazy().round([]), 'ARGUMENT')
  const m = store.matrix('numeric', [2, 2])
  const e = m.lazy().add(store.matrix('numeric', [1, 4]))
  const error = refuses(t, () => e.evaluate(), 'NON_CONFORMABLE', /non-conformable arrays/)
  t.is(error.details.kind, 'non-conformable')
  const long = m.lazy().mul([1, 2, 3, 4, 5])
  const { warnings } = captureWarnings(() =>
    refuses(t, () => long.evaluate(), 'DIM', /do not match the length/),
  )
  t.deepEqual(
    warnings.map(w => w.code),
    ['recycle-remainder'],
  )
  refuses(t, () => x.lazy().not().sum({ narm: true }), 'ARGUMENT')
  refuses(t, () => x.lazy().evaluate({ nam: 'x' }), 'ARGUMENT')
})

test('operands that died are refused, whether before or after building', async t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [1, 2])
  const y = store.vector('numeric', [1, 2])
  const e = x.lazy().add(y)
  y.destroy()
  refuses(t, () => x.lazy().add(y), 'DESTROYED')
  refuses(t, () => e.evaluate(), 'DESTROYED')
  refuses(t, () => e.sum(), 'DESTROYED')
  refuses(t, () => x.add(e), 'DESTROYED')
  await rejects(t, () => e.evaluateAsync(), 'DESTROYED')
  await rejects(t, () => e.sumAsync(), 'DESTROYED')
  const other = x.lazy().mul(2)
  store.close()
  refuses(t, () => other.evaluate(), 'CLOSED')
  refuses(t, () => other.sum(), 'CLOSED')
  await rejects(t, () => other.evaluateAsync(), 'CLOSED')
  await rejects(t, () => other.meanAsync(), 'CLOSED')
  t.regex(util.inspect(other), /Expr<numeric> \[2\]/)
})

test('an expression may stand where an operand may', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const v = store.vector('numeric', [1, 2, 3], { names: ['a', 'b', 'c'] })
  const e = v.lazy().mul(10)
  same(t, v.add(e), v.add(v.mul(10)), 'second operand')
  same(t, add(1, e), add(1, v.mul(10)), 'free function')
  t.deepEqual(v.add(e, { name: 'kept' }).name, 'kept')
  t.is(sum(v, e), 66)
  t.is(sum(e), 60)
  same(t, cumsum(e), v.mul(10).cumsum(), 'running values')
  same(t, combine(v, e), combine(v, v.mul(10)), 'c()')
  const w = store.vector('numeric', [0, 0, 0])
  t.deepEqual(w.addInPlace(e).toArray(), [10, 20, 30])
  t.deepEqual(w.replace([0, 1, 2], e).toArray(), [10, 20, 30])
  const { warnings } = captureWarnings(() => v.add(store.vector('numeric', [-1, 1]).lazy().apply('sqrt')))
  t.deepEqual(warnings.map(x => [x.code, x.operation]).sort(), [
    ['nan-produced', 'add'],
    ['recycle-remainder', 'add'],
  ])
})

test('results go where results go: name, keep, into, a reader falls back', t => {
  const store = freshStore(t)
  const other = freshStore(t)
  const x = store.vector('numeric', [1, 2], { name: 'x' })
  const e = x.lazy().add(1)
  t.is(e.evaluate().state, 'temporary')
  t.is(e.evaluate({ name: 'y' }), store.get('y'))
  refuses(t, () => e.evaluate({ name: 'y' }), 'EXISTS')
  t.is(e.evaluate({ keep: true }).state, 'committed')
  t.is(e.evaluate({ into: other }).store, other)
})

test('evaluateAsync: the same values, abortable, progress told, the store can be closed meanwhile', async t => {
  const store = freshStore(t, { mode: 'scratch' })
  const n = 3e6
  const x = store.vector(
    'numeric',
    Float64Array.from({ length: n }, (_, i) => i - 1e6),
    { name: 'x' },
  )
  const e = x.lazy().div(7).apply('sin').mul(x).add(x.lazy().gt(5))
  const seen = []
  const { value, warnings } = await captureWarnings(() =>
    e.evaluateAsync({ name: 'z', onProgress: p => seen.push(p) }),
  )
  t.is(store.get('z'), value)
  t.deepEqual(warnings, [])
  same(t, value, e.evaluate(), 'async')
  t.is(await e.sumAsync(), e.sum())
  t.is(seen.at(-1).done, seen.at(-1).total)
  const reason = new Error('enough')
  const stop = new AbortController()
  const running = e.evaluateAsync({ signal: stop.signal, name: 'never' })
  stop.abort(reason)
  t.is(await running.catch(error => error), reason)
  t.false(store.has('never'))
  await rejects(t, () => e.sumAsync({ naRm: 3 }), 'ARGUMENT')
  await rejects(t, () => e.evaluateAsync({ nope: 1 }), 'ARGUMENT')
  const holding = e.evaluateAsync()
  refuses(t, () => x.destroy(), 'BUSY')
  await holding
  const closing = e.evaluateAsync()
  store.close()
  await rejects(t, () => closing, 'CLOSED')
})

test('text inside an expression off the event loop', async t => {
  const store = freshStore(t, { mode: 'scratch' })
  const s = store.vector('character', ['b', 'a', null, 'a string longer than twelve'])
  const x = store.vector('numeric', [1, 2, 3, 4])
  const e = s
    .lazy()
    .ge('a s')
    .and(x.lazy().add(1).lt(['2', '3', '4', '9']))
    .or(s.lazy().isNa())
  same(
    t,
    await e.evaluateAsync(),
    s
      .ge('a s')
      .and(x.add(1).lt(['2', '3', '4', '9']))
      .or(s.isNa()),
    'text',
  )
  t.is(await e.sumAsync(), e.evaluate().sum())
  t.is(s.lazy().max({ naRm: true }), 'b')
})

test('the console shows type, length and formula; JavaScript operators and clones are refused', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const x = store.vector('numeric', [1, 2], { name: 'x' })
  t.is(util.inspect(x.lazy().mul(2).add(int(1)).apply('exp')), 'Expr<numeric> [2]  exp((x * 2) + 1L)')
  t.is(`${x.lazy().lt('b').not()}`, 'Expr<logical> [2]  !(x < "b")')
  t.is(String(x.lazy().log(2).add([1, 2, 3, 4])), 'Expr<numeric> [4]  log(x, 2) + [1, 2, 3, …]')
  refuses(t, () => x.lazy() + 1, 'OPERATOR')
  t.throws(() => structuredClone(x.lazy()), { any: true, name: 'DataCloneError' })
})
