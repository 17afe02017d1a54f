// order, sort, unique, which: against a model in JavaScript, on every type, length and kind of data that sorting stumbles over; names, parts,
// matrices, other stores; what is refused; off the event loop.
import test from 'ava'
import { order, fmallocOptions, sort, unique, which } from '../dist/index.js'
import { freshStore } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** Whole numbers below a limit, the same in each run. */
function draws(seed) {
  let x = seed >>> 0 || 1
  return below => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % below
  }
}

const utf8 = new TextEncoder()

/** The order of R: NA and NaN equal and last, text by code point. */
function compare(a, b) {
  const [x, y] = [a, b].map(v => v === null || Number.isNaN(v))
  if (x || y) return x - y
  if (typeof a === 'string') return Buffer.compare(utf8.encode(a), utf8.encode(b))
  if (typeof a === 'object') return a.re - b.re || a.im - b.im
  return a - b
}

const model = {
  order: values => values.map((_, i) => i).sort((i, j) => compare(values[i], values[j]) || i - j),
  unique(values) {
    const key = v => (typeof v === 'object' && v !== null ? `${v.re + 0} ${v.im + 0}` : v)
    const seen = new Set()
    return values.filter(v => !seen.has(key(v)) && seen.add(key(v)))
  },
}

function check(t, x, values) {
  const positions = model.order(values)
  t.deepEqual(x.order().toArray(), positions)
  t.deepEqual(
    x.sort().toArray(),
    positions.map(i => values[i]),
  )
  t.deepEqual(x.unique().toArray(), model.unique(values))
}

const LENGTHS = [0, 1, 2, 3, 17, 64, 65, 2047, 2049, 5003]

/** Values of a type: as they come, few that repeat, rising, falling, all NA. */
const VALUES = {
  logical: draw => [true, false, null][draw(3)],
  integer: draw => (draw(5) === 0 ? [null, 2147483647, -2147483647, 0][draw(4)] : draw(1e6) - 5e5),
  numeric: draw =>
    draw(5) === 0
      ? [null, NaN, 0, -0, Infinity, -Infinity, 5e-324][draw(7)]
      : (draw(2 ** 31) - 2 ** 30) / 1024,
  complex: draw => (draw(6) === 0 ? null : { re: draw(4), im: [-0, 0, 1, -1.5][draw(4)] }),
  character: draw =>
    draw(8) === 0
      ? null
      : ['', 'a', 'the same beginning ', '€'][draw(4)] +
        ['', 'z', 'é', '😀', '\uffff'][draw(5)].repeat(draw(4)),
}

for (const [type, value] of Object.entries(VALUES)) {
  test(`${type}: order, sort and unique are those of a model`, t => {
    const store = freshStore(t)
    for (const n of LENGTHS) {
      const draw = draws(n * 7 + 1)
      const values = Array.from({ length: n }, () => value(draw))
      check(t, store.vector(type, values), values)
      const rising = model.order(values).map(i => values[i])
      check(t, store.vector(type, rising), rising)
      check(t, store.vector(type, rising.toReversed()), rising.toReversed())
      check(
        t,
        store.vector(
          type,
          Array.from(values, () => null),
        ),
        Array.from(values, () => null),
      )
      const few = Array.from(values, () => values[draw(3) % Math.max(n, 1)])
      check(t, store.vector(type, few), few)
    }
  })
}

test('any number of threads gives the same', t => {
  const store = freshStore(t)
  const draw = draws(5)
  const n = 300_000
  const x = store.vector('numeric', n)
  const view = x.view()
  for (let i = 0; i < n; i++) view[i] = draw(3) === 0 ? draw(10) : draw(2 ** 31) / 3
  const positions = Float64Array.from({ length: n }, (_, i) => i).sort((i, j) => view[i] - view[j] || i - j)
  for (const threads of [1, 2, 3]) {
    fmallocOptions({ threads })
    t.deepEqual(x.order().toTypedArray(), positions)
    t.deepEqual(x.sort().toTypedArray(), view.slice().sort())
  }
  fmallocOptions({ threads: 2 })
  const firsts = new Set(view)
  t.deepEqual(x.unique().toTypedArray(), Float64Array.from(firsts))
})

test('a million strings with characters of several bytes', t => {
  const store = freshStore(t)
  const draw = draws(11)
  const letters = ['a', 'b', 'é', '€', '😀', 'Z', ' ']
  const values = Array.from({ length: 1_000_000 }, () => {
    let text = draw(3) === 0 ? 'a common beginning, ' : ''
    for (let k = draw(9); k >= 0; k--) text += letters[draw(letters.length)]
    return text
  })
  const x = store.vector('character', values)
  const bytes = values.map(v => Buffer.from(v))
  const positions = bytes.map((_, i) => i).sort((i, j) => Buffer.compare(bytes[i], bytes[j]) || i - j)
  t.true(Buffer.from(x.order().view().buffer).equals(Buffer.from(Float64Array.from(positions).buffer)))
  const sorted = x.sort()
  for (let i = 0; i < 1_000_000; i += 997) t.is(sorted.get(i), values[positions[i]])
  t.is(x.unique().length, new Set(values).size)
})

test('NA and NaN stay last as they stood, zeros of both signs are equal', t => {
  const store = freshStore(t)
  const x = store.vector('numeric', [NaN, 0, null, -0, 1, NaN, -1, null, -0])
  t.deepEqual(x.order().toArray(), [6, 1, 3, 8, 4, 0, 2, 5, 7])
  t.deepEqual(x.sort().toArray(), [-1, 0, -0, -0, 1, NaN, null, NaN, null])
  t.deepEqual(x.unique().toArray(), [NaN, 0, null, 1, -1])
  const z = store.vector('complex', [
    { re: 0, im: 1 },
    null,
    { re: -0, im: 0 },
    { re: NaN, im: 0 },
    { re: 0, im: 0 },
  ])
  t.deepEqual(z.order().toArray(), [2, 4, 0, 1, 3])
  t.is(z.unique().length, 4)
})

test('which gives positions from 0, and the names of what is TRUE', t => {
  const store = freshStore(t)
  const x = store.vector('logical', [true, null, false, true], {
    names: ['a', 'b', 'c', 'a name longer than twelve'],
  })
  const at = x.which()
  t.is(at.type, 'numeric')
  t.deepEqual(at.toArray(), [0, 3])
  t.deepEqual(at.names.toArray(), ['a', 'a name longer than twelve'])
  t.deepEqual(which(x.subarray(1)).toArray(), [2])
  t.deepEqual(x.subarray(1).which().names.toArray(), ['a name longer than twelve'])
  t.deepEqual(store.vector('logical', [false, null]).which().toArray(), [])
  t.deepEqual(store.vector('logical', []).which().toArray(), [])
  t.is(store.vector('logical', [true]).which().names, null)
  refuses(t, () => store.vector('integer', [1]).which(), 'TYPE', /not logical/)
})

test('sort takes names along, order and unique do not; a matrix is its vector', t => {
  const store = freshStore(t)
  const x = store.vector('integer', [3, null, 1, 1], { names: ['c', null, 'a', 'b'] })
  const sorted = x.sort()
  t.deepEqual(sorted.toArray(), [1, 1, 3, null])
  t.deepEqual(sorted.names.toArray(), ['a', 'b', 'c', null])
  t.deepEqual(sorted.get('c'), 3)
  t.is(x.order().names, null)
  t.is(x.unique().names, null)
  const part = x.subarray(1).sort()
  t.deepEqual(
    [part.toArray(), part.names.toArray()],
    [
      [1, 1, null],
      ['a', 'b', null],
    ],
  )
  const m = store.matrix('numeric', [2, 2], { values: [4, 3, 2, 1], dimnames: [['a', 'b'], null] })
  t.deepEqual(m.sort().toArray(), [1, 2, 3, 4])
  t.is(m.sort().kind, 'vector')
  t.deepEqual(m.order().toArray(), [3, 2, 1, 0])
  t.deepEqual(m.column(0).order().toArray(), [1, 0])
  // What order gives is a subscript.
  t.deepEqual(x.select(x.order()).toArray(), sorted.toArray())
})

test('methods and functions are one, and results go where options say', t => {
  const [store, other] = [freshStore(t), freshStore(t)]
  const x = store.vector('character', ['b', 'a', null, 'a'])
  t.deepEqual(sort(x).toArray(), x.sort().toArray())
  t.deepEqual(order(x).toArray(), [1, 3, 0, 2])
  t.deepEqual(unique(x).toArray(), ['b', 'a', null])
  const kept = x.sort({ name: 'sorted', into: other })
  t.is(other.get('sorted'), kept)
  t.deepEqual(kept.toArray(), ['a', 'a', 'b', null])
  t.deepEqual(x.toArray(), ['b', 'a', null, 'a'])
})

test('what has no order is refused, and nothing is made', t => {
  const store = freshStore(t)
  const raw = store.vector('raw', [2, 1, 2])
  refuses(t, () => raw.sort(), 'TYPE', /raw vectors cannot be sorted/)
  refuses(t, () => raw.order(), 'TYPE', /raw/)
  t.deepEqual(raw.unique().toArray(), [2, 1])
  refuses(t, () => order([1, 2]), 'ARGUMENT')
  refuses(t, () => raw.unique({ nmae: 'x' }), 'ARGUMENT')
  const gone = store.vector('integer', [2, 1])
  gone.destroy()
  for (const name of ['sort', 'order', 'unique']) refuses(t, () => gone[name](), 'DESTROYED')
})

test('off the event loop: the same results, and progress to the end', async t => {
  const store = freshStore(t)
  const draw = draws(3)
  const n = 200_000
  const values = Array.from({ length: n }, () => draw(1e9))
  for (const x of [
    store.vector('integer', values),
    store.vector('numeric', values),
    store.vector('character', values.map(String)),
  ]) {
    const steps = []
    const sorted = await x.sortAsync({ onProgress: step => steps.push(step), name: `sorted ${x.type}` })
    t.is(store.get(`sorted ${x.type}`), sorted)
    t.true(sorted.equals(x.sort()))
    t.true((await x.orderAsync()).equals(x.order()))
    const nbytes = n * { integer: 4, numeric: 8, character: 16 }[x.type]
    t.deepEqual(steps.at(-1), { done: nbytes, total: nbytes, unit: 'bytes' })
  }
})

test('aborted or closed meanwhile: rejected, nothing is left', async t => {
  const store = freshStore(t)
  const n = 2_000_000
  const x = store.vector('numeric', n)
  const view = x.view()
  const draw = draws(9)
  for (let i = 0; i < n; i++) view[i] = draw(2 ** 31)
  const reason = new Error('enough')
  await t.throwsAsync(x.sortAsync({ signal: AbortSignal.abort(reason) }), { is: reason })
  for (const name of ['sortAsync', 'orderAsync']) {
    const controller = new AbortController()
    const running = x[name]({ signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await t.throwsAsync(running, { is: reason })
  }
  const running = x.sortAsync()
  refuses(t, () => x.destroy(), 'BUSY')
  const rejected = t.throwsAsync(running, { code: 'ERR_FMALLOC_CLOSED' })
  store.close()
  await rejected
  await t.throwsAsync(x.orderAsync(), { code: 'ERR_FMALLOC_CLOSED' })
})
