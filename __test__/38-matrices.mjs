// Margins and products of matrices. What must never happen: bits that depend on memory or threads; NA in cells that it does not reach; a shape
// read wrongly where an extent is nothing or one; names of the wrong side; work that keeps its space after an abort, or the event loop.

import { spawnSync } from 'node:child_process'
import test from 'ava'
import {
  colMeans,
  colSums,
  crossprod,
  fmallocColVars,
  fmallocCrossprodOoc,
  fmallocMatmulBackend,
  fmallocMatmulBackends,
  fmallocMatmulOoc,
  fmallocOptions,
  fmallocRowVars,
  fmallocTcrossprodOoc,
  matmul,
  openFmalloc,
  rowSums,
  tcrossprod,
} from '../dist/index.js'
import { freshStore } from './helpers/files.mjs'
import { refuses, rejects } from './helpers/refuses.mjs'
import { deadline } from './helpers/waiting.mjs'

/** Reproducible numbers. */
function numbers(n, seed = 7) {
  const out = new Float64Array(n)
  let state = seed
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out[i] = state / 2 ** 32 - 0.5
  }
  return out
}

const matrix = (store, nrow, ncol, values = numbers(nrow * ncol)) =>
  store.matrix('numeric', [nrow, ncol], { values })

const named = x => x.names?.toArray() ?? null
const dimnames = x => x.dimnames?.map(names => names?.toArray() ?? null) ?? null

test('products have the shape, the numbers and the names that R gives them', t => {
  const store = freshStore(t)
  const a = store.matrix('numeric', [2, 3], {
    values: [1, 2, 3, 4, 5, 6],
    dimnames: [
      ['r1', 'r2'],
      ['a', 'b', 'c'],
    ],
  })
  const b = store.matrix('integer', [3, 2], { values: [1, 0, -1, 2, null, 3], dimnames: [null, ['x', 'y']] })
  const p = a.matmul(b)
  t.deepEqual(p.dim, [2, 2])
  t.is(p.type, 'numeric')
  t.deepEqual(p.toArray(), [-4, -4, null, null])
  t.deepEqual(dimnames(p), [
    ['r1', 'r2'],
    ['x', 'y'],
  ])
  t.deepEqual(a.crossprod().toArray(), [5, 11, 17, 11, 25, 39, 17, 39, 61])
  t.deepEqual(dimnames(a.crossprod()), [
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
  ])
  t.deepEqual(tcrossprod(a).toArray(), [35, 44, 44, 56])
  t.deepEqual(dimnames(tcrossprod(a)), [
    ['r1', 'r2'],
    ['r1', 'r2'],
  ])
  t.deepEqual(a.crossprod(store.from([1, 1])).toArray(), [3, 7, 11])
  t.deepEqual(crossprod(a, a).toArray(), a.crossprod().toArray())
  const complex = store.matrix('complex', [1, 2], {
    values: [
      { re: 0, im: 1 },
      { re: 2, im: 0 },
    ],
  })
  t.deepEqual(complex.tcrossprod().toArray(), [{ re: 3, im: 0 }], 'without conjugation')
  const kept = a.matmul(b, { name: 'p' })
  t.is(store.get('p'), kept)
  t.deepEqual(dimnames(kept), [
    ['r1', 'r2'],
    ['x', 'y'],
  ])
})

test('vectors become rows or columns, plain values are operands', t => {
  const store = freshStore(t)
  const a = store.matrix('numeric', [2, 3], { values: [1, 2, 3, 4, 5, 6] })
  t.deepEqual(a.matmul([1, 0, 1]).dim, [2, 1])
  t.deepEqual(a.matmul(Float64Array.of(1, 0, 1)).toArray(), [6, 8])
  t.deepEqual(matmul(store.from([1, 2]), a).dim, [1, 3])
  t.deepEqual(matmul(store.from([1, 2, 3]), store.from([4, 5, 6])).toArray(), [32])
  t.deepEqual(
    store
      .matrix('numeric', [1, 1], { values: [3] })
      .matmul([4])
      .toArray(),
    [12],
  )
  t.deepEqual(tcrossprod(store.from([1, 2])).toArray(), [1, 2, 2, 4])
})

test('extents of nothing and of one', t => {
  const store = freshStore(t)
  const none = store.matrix('numeric', [0, 3])
  const wide = store.matrix('numeric', [3, 0])
  t.deepEqual(none.crossprod().toArray(), Array(9).fill(0))
  t.deepEqual(none.matmul(wide).dim, [0, 0])
  t.deepEqual(wide.matmul(none).toArray(), Array(9).fill(0))
  t.deepEqual(none.rowSums().length, 0)
  t.deepEqual(none.colSums().toArray(), [0, 0, 0])
  t.deepEqual(wide.rowSums().toArray(), [0, 0, 0])
  t.true(wide.rowMeans().toArray().every(Number.isNaN))
  t.deepEqual(
    store
      .matrix('numeric', [1, 1], { values: [5] })
      .colMeans()
      .toArray(),
    [5],
  )
  t.true(
    fmallocRowVars(wide)
      .toArray()
      .every(x => Number.isNaN(x) || x === null),
  )
})

test('columns of a matrix are a matrix, with their names', t => {
  const store = freshStore(t)
  const x = store.matrix('numeric', [2, 3], {
    values: [1, 2, 3, 4, 5, 6],
    dimnames: [
      ['r', 's'],
      ['a', 'b', 'c'],
    ],
  })
  const part = x.columns(1, 3)
  t.deepEqual(part.colSums().toArray(), [7, 11])
  t.deepEqual(named(part.colSums()), ['b', 'c'])
  t.deepEqual(named(part.rowSums()), ['r', 's'])
  t.deepEqual(part.crossprod().toArray(), [25, 39, 39, 61])
  t.deepEqual(dimnames(part.crossprod()), [
    ['b', 'c'],
    ['b', 'c'],
  ])
  t.deepEqual(dimnames(part.tcrossprod(x.columns(0, 2))), [
    ['r', 's'],
    ['r', 's'],
  ])
  t.deepEqual(x.columns(0, 3).add(1).dim, [2, 3])
  t.deepEqual(x.columns(2, 2).colSums().length, 0)
  t.deepEqual(x.column(0).dim, null)
})

test('margins of arrays of any rank, with NA left out or not', t => {
  const store = freshStore(t)
  const x = store.array('integer', [2, 3, 2], {
    values: [1, null, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    dimnames: [['a', 'b'], null, ['u', 'v']],
  })
  t.deepEqual(x.rowSums().toArray(), [36, null])
  t.deepEqual(named(x.rowSums()), ['a', 'b'])
  t.deepEqual(rowSums(x, { naRm: true }).toArray(), [36, 40])
  const kept = x.colSums()
  t.deepEqual(kept.dim, [3, 2])
  t.deepEqual(kept.toArray(), [null, 7, 11, 15, 19, 23])
  t.deepEqual(dimnames(kept), [null, ['u', 'v']])
  t.deepEqual(colSums(x, { dims: 2 }).toArray(), [null, 57])
  t.deepEqual(named(colSums(x, { dims: 2 })), ['u', 'v'])
  t.deepEqual(x.rowMeans({ dims: 2, naRm: true }).toArray(), [4, 8, 6, 7, 8, 9])
  const m = store.matrix('numeric', [3, 2], { values: [1, 2, 3, 4, NaN, 8] })
  t.deepEqual(fmallocColVars(m).toArray(), [1, NaN])
  t.deepEqual(fmallocColVars(m, { naRm: true }).toArray(), [1, 8])
  t.deepEqual(colMeans(m, { naRm: true }).toArray(), [2, 6])
})

test('what is no matrix, no number or does not fit is refused in R’s words', t => {
  const store = freshStore(t)
  const a = matrix(store, 2, 3)
  const text = store.matrix('character', [2, 2])
  const { details } = refuses(t, () => a.matmul(a), 'NON_CONFORMABLE', /non-conformable arguments/)
  t.is(details.kind, 'non-conformable')
  refuses(t, () => a.matmul(text), 'TYPE', /requires numeric\/complex matrix\/vector arguments/)
  refuses(t, () => matmul(store.vector('raw', 2), a), 'TYPE')
  refuses(t, () => a.matmul(), 'VALUE')
  refuses(t, () => matmul([1, 2], [3, 4]), 'ARGUMENT', /at least one operand must be a Vector/)
  refuses(t, () => text.rowSums(), 'TYPE', /'x' must be numeric/)
  refuses(t, () => rowSums(store.from([1, 2])), 'DIM', /at least two dimensions/)
  refuses(t, () => rowSums([1, 2]), 'DIM', /at least two dimensions/)
  for (const dims of [0, 2, -1, 1.5, NaN, '1'])
    t.is(refuses(t, () => a.colSums({ dims }), 'DIM', /invalid 'dims'/).details.kind, 'bad-dims')
  refuses(t, () => fmallocRowVars(store.matrix('complex', [1, 1])), 'COMPLEX')
  refuses(t, () => a.rowSums({ narm: true }), 'ARGUMENT', /narm/)
  refuses(t, () => a.crossprod({ memory: 'all of it' }), 'ARGUMENT', /memory/)
  const gone = matrix(store, 2, 2)
  gone.destroy()
  refuses(t, () => a.matmul(gone), 'DESTROYED')
  t.is(store.diagnose().summary.temporaries, 0)
})

test('any memory, any number of threads, and out of core: the same bits', t => {
  const store = freshStore(t)
  const x = matrix(store, 30_000, 24)
  const y = matrix(store, 24, 40)
  const bits = v => Buffer.from(v.toTypedArray().buffer).toString('base64')
  const wanted = { gram: bits(x.crossprod()), product: bits(x.matmul(y)), outer: bits(y.tcrossprod()) }
  const before = fmallocOptions()
  t.teardown(() => fmallocOptions(before))
  for (const threads of [1, 2, 5]) {
    fmallocOptions({ threads })
    for (const memory of [1, '64 KiB', '1 MiB', '1 GiB', undefined]) {
      t.is(bits(x.crossprod({ memory })), wanted.gram, `${threads} threads, ${memory}`)
      t.is(bits(x.matmul(y, { memory })), wanted.product, `${threads} threads, ${memory}`)
    }
    for (const tileMb of [0.001, 1, 256]) {
      t.is(bits(fmallocCrossprodOoc(x, null, tileMb)), wanted.gram)
      t.is(bits(fmallocMatmulOoc(x, y, tileMb)), wanted.product)
      t.is(bits(fmallocTcrossprodOoc(y, undefined, tileMb)), wanted.outer)
    }
    // The left operand is large enough to switch over.
    fmallocOptions({ oocThresholdGb: 1e-6, oocTileMb: 0.5 })
    t.is(bits(x.crossprod()), wanted.gram)
    t.is(bits(matmul(x, y)), wanted.product)
    fmallocOptions(before)
  }
  // Elements written before an out-of-core product lets its pages go are still there.
  x.set(5, 42)
  fmallocCrossprodOoc(x, null, 0.01)
  t.is(x.get(5), 42)
  for (const tileMb of [0, -1, NaN, Infinity, '1'])
    refuses(t, () => fmallocMatmulOoc(x, y, tileMb), 'ARGUMENT', /tileMb/)
  refuses(t, () => fmallocMatmulOoc(store.matrix('integer', [1, 1]), y), 'TYPE', /'numeric'/)
  refuses(t, () => fmallocCrossprodOoc(store.from([1])), 'TYPE')
})

test('an out-of-core product keeps to its memory, an in-core one does not', t => {
  const store = freshStore(t)
  // 256 MiB. The most memory resident before counts what starting a process takes for a moment.
  const rows = 2 ** 19
  store.matrix('numeric', [rows, 64]).fill(0.5).keep('x')
  store.close()
  const grown = memory => {
    const script = `
      import { openFmalloc, fmallocOptions } from '${new URL('../dist/index.js', import.meta.url)}'
      fmallocOptions({ oocThresholdGb: 1000 })
      const store = openFmalloc(${JSON.stringify(store.path)}, { readOnly: true })
      const x = store.get('x')
      const before = process.resourceUsage().maxRSS
      const cell = x.crossprod({ memory: ${memory} }).get(63, 0)
      console.log(JSON.stringify({ cell, mib: (process.resourceUsage().maxRSS - before) / 1024 }))`
    const args = ['--input-type=module', '-e', script]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    t.is(stderr, '')
    const { cell, mib } = JSON.parse(stdout)
    t.is(cell, rows / 4)
    return mib
  }
  const [within, whole] = [grown(8 * 2 ** 20), grown(undefined)]
  t.log(`${within.toFixed(0)} MiB within 8 MiB, ${whole.toFixed(0)} MiB in core`)
  t.true(within < 48, `${within} MiB`)
  t.true(whole > 100, `${whole} MiB`)
})

test('a read-only store multiplies, its results go elsewhere, and its pages come back as they were', async t => {
  const store = freshStore(t)
  matrix(store, 4000, 8).keep('x')
  const wanted = store.get('x').crossprod().toArray()
  store.close()
  const reader = openFmalloc(store.path, { readOnly: true })
  t.teardown(() => reader.close())
  const x = reader.get('x')
  t.deepEqual(fmallocCrossprodOoc(x, null, 0.01).toArray(), wanted)
  t.deepEqual((await x.crossprodAsync({ memory: '64 KiB' })).toArray(), wanted)
  t.not(x.crossprod().store, reader)
  t.is(x.rowSums().length, 4000)
})

test('NA and NaN reach their row and column, and nothing else', t => {
  const store = freshStore(t)
  const values = numbers(3000 * 6)
  values[3000 * 2 + 1500] = NaN
  const x = matrix(store, 3000, 6, values)
  x.set(3000 * 4 + 7, null)
  for (const memory of [undefined, '16 KiB']) {
    const gram = x.crossprod({ memory })
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        const cell = gram.get(i, j)
        if (i === 4 || j === 4) t.is(cell, null)
        else t.is(Number.isNaN(cell), i === 2 || j === 2)
      }
    }
  }
})

test('twins give what their methods give', async t => {
  const store = freshStore(t)
  const x = store.matrix('numeric', [3, 2], { values: [1, 2, 3, 4, null, 6], dimnames: [null, ['a', 'b']] })
  for (const name of ['rowSums', 'colSums', 'rowMeans', 'colMeans']) {
    const [now, later] = [x[name]({ naRm: true }), await x[`${name}Async`]({ naRm: true })]
    t.true(later.equals(now), name)
    t.deepEqual(named(later), named(now))
  }
  t.true((await x.matmulAsync([1, 2])).equals(x.matmul([1, 2])))
  t.true((await x.crossprodAsync()).equals(x.crossprod()))
  t.true((await x.crossprodAsync(x)).equals(x.crossprod(x)))
  t.true((await x.tcrossprodAsync({ memory: '1 MiB' })).equals(x.tcrossprod()))
  t.is(await x.tcrossprodAsync({ name: 'kept' }), store.get('kept'))
  await rejects(t, () => x.matmulAsync(x), 'NON_CONFORMABLE')
  await rejects(t, () => x.matmulAsync(), 'VALUE')
  await rejects(t, () => x.rowSumsAsync({ dims: 5 }), 'DIM')
  await rejects(t, () => x.crossprodAsync({ memory: 0 }), 'ARGUMENT')
  await rejects(t, () => x.crossprodAsync({ signal: 1 }), 'ARGUMENT')
})

test('progress of a product counts tiles to the end', async t => {
  const store = freshStore(t)
  const seen = []
  await matrix(store, 40_000, 40).crossprodAsync({ onProgress: p => seen.push(p), memory: '1 MiB' })
  const { done, total, unit } = seen.at(-1)
  t.deepEqual([done, unit], [total, 'tiles'])
  t.true(total > 1)
  const margin = []
  await matrix(store, 100, 100).colSumsAsync({ onProgress: p => margin.push(p) })
  t.deepEqual(margin.at(-1), { done: 80_000, total: 80_000, unit: 'bytes' })
})

/** Many products, each of some ten milliseconds at least, of which libuv runs four at a time: most have not started when the test acts. */
function crowd(x, o) {
  const all = Array.from({ length: 16 }, () => x.crossprodAsync(o))
  for (const one of all) one.catch(() => {})
  return all
}

test.serial('an abort rejects with its reason, and everything it took comes back', async t => {
  const store = freshStore(t)
  const x = matrix(store, 4000, 700)
  const controller = new AbortController()
  const reason = new Error('enough')
  const all = crowd(x, { signal: controller.signal, memory: '1 MiB' })
  controller.abort(reason)
  const ends = await deadline('aborted products', Promise.allSettled(all))
  t.is(ends.at(-1).reason, reason)
  for (const end of ends) {
    t.true(end.status === 'fulfilled' || end.reason === reason)
    end.value?.destroy()
  }
  t.is(store.diagnose().summary.temporaries, 0)
  t.true(x.destroy(), 'no operation holds it')
})

test.serial('closing the store during products and margins rejects them', async t => {
  const store = freshStore(t)
  const x = matrix(store, 4000, 700)
  const all = [...crowd(x), x.rowSumsAsync(), x.colSumsAsync()]
  for (const one of all) one.catch(() => {})
  refuses(t, () => x.destroy(), 'BUSY')
  store.close()
  for (const one of all) await rejects(t, () => deadline('a product', one), 'CLOSED')
})

test.serial('the event loop turns while a product runs', async t => {
  const store = freshStore(t)
  const x = matrix(store, 4000, 1000)
  let turns = 0
  let isDone = false
  const turn = () => {
    turns++
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  const gram = await x.crossprodAsync()
  isDone = true
  // Were the product made on this thread, the loop would turn once or twice before its promise settles.
  t.true(turns > 20, `${turns} turns`)
  t.deepEqual(gram.dim, [1000, 1000])
})

test('an unknown backend is an error, and the choice stays', t => {
  t.is(fmallocMatmulBackend(), 'blas')
  const { details } = refuses(
    t,
    () => fmallocMatmulBackend('no-such-blas.so'),
    'NOT_FOUND',
    /unknown matmul backend/,
  )
  t.is(details.backend, 'no-such-blas.so')
  refuses(t, () => fmallocMatmulBackend('libm.so.6'), 'NOT_FOUND')
  refuses(t, () => fmallocMatmulBackend(5), 'ARGUMENT')
  t.is(fmallocMatmulBackend(), 'blas')
  t.deepEqual(fmallocMatmulBackends(), ['blas'])
  for (const name of ['', null, 'blas']) t.is(fmallocMatmulBackend(name), 'blas')
})

test('a BLAS that is installed multiplies finite doubles', t => {
  const store = freshStore(t)
  const x = matrix(store, 500, 20)
  const wanted = x.crossprod().toArray()
  const names = process.env.RFMALLOC_TEST_BLAS?.split(':') ?? [
    'libopenblas.so.0',
    'libblas.so.3',
    'libblis.so.4',
  ]
  t.teardown(() => fmallocMatmulBackend(null))
  let found = 0
  for (const name of names) {
    try {
      fmallocMatmulBackend(name)
    } catch (e) {
      t.is(e.code, 'ERR_FMALLOC_NOT_FOUND')
      continue
    }
    found++
    t.is(fmallocMatmulBackend(), name)
    t.true(fmallocMatmulBackends().includes(name))
    for (const [i, got] of x.crossprod().toArray().entries())
      t.true(Math.abs(got - wanted[i]) <= 500 * 2 ** -52, `${name}: ${got}, not ${wanted[i]}`)
  }
  if (found === 0) t.log(`skipped: none of ${names.join(', ')} is installed`)
  t.pass()
})
