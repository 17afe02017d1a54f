// The measured work, one task per fresh process: node bench/child.mjs TASK '{"file": ...}'. Prints one JSON line.
import { createReadStream, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { median, peakMiB } from './measure.mjs'

const values = Float64Array.from({ length: 8 }, (_, i) => i + 0.5)
const bytes = Buffer.from(values.buffer)
const nameOf = i => `v${i}`
const wanted = n => Math.floor(n * 0.777)

/** Milliseconds from before the open to after the first element was read; then a clean close, or a kill with work undone. */
async function timeOpen(open, { kill }) {
  const started = performance.now()
  const { first, dirty, close } = open()
  const ms = performance.now() - started
  if (first !== values[0]) throw new Error(`read ${first}`)
  print({ ms, peak: peakMiB() })
  if (kill) {
    await dirty()
    process.kill(process.pid, 'SIGKILL')
  }
  await close()
}

function time(fn) {
  const started = performance.now()
  fn()
  return performance.now() - started
}

/** A function that gives the seconds of processor time since, of all threads. */
function processorTime() {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1e6
  }
}

const textsOf = (n, bytes) => Array.from({ length: n }, (_, i) => `text ${i}`.padEnd(bytes, '.'))

/** A matrix of random numbers, kept in no way. */
function randomMatrix(store, nrow, ncol) {
  const x = store.matrix('numeric', [nrow, ncol])
  const some = Float64Array.from({ length: 1 << 20 }, () => Math.random() - 0.5)
  for (const window of x.windows({ bytes: some.byteLength })) {
    const view = window.view()
    view.set(some.subarray(0, view.length))
  }
  return x
}

function print(result) {
  writeSync(1, JSON.stringify(result))
}

const tasks = {
  /** A file with `nbytes` of doubles and as many of logicals that are all false; where they lie. */
  async summariesMake({ file, nbytes }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    const store = openFmalloc(file)
    const x = store.vector('numeric', nbytes / 8, { name: 'x' })
    let k = 0
    for (const window of x.windows({ bytes: '16 MiB' })) {
      const view = window.view()
      for (let i = 0; i < view.length; i++) view[i] = Math.sin(k++) * 100
    }
    store.vector('logical', nbytes / 4, { name: 'l' })
    const place = name => store.allocations().find(row => row.name === name).payloadOffset
    print({ numeric: place('x'), logical: place('l'), cores: fmallocOptions().threads })
    store.close()
  },

  /** GB/s of each summary: of processor time, divided by the threads. */
  async summariesFmalloc({ file, nbytes, threads, runs }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    fmallocOptions({ threads })
    const store = openFmalloc(file, { readOnly: true })
    const [x, l] = [store.get('x'), store.get('l')]
    const rate = fn => {
      fn()
      const taken = Array.from({ length: runs }, () => {
        const before = process.cpuUsage()
        fn()
        const { user, system } = process.cpuUsage(before)
        return (user + system) / 1e6 / threads
      })
      return nbytes / median(taken) / 1e9
    }
    const rates = {}
    for (const name of ['sum', 'mean', 'min', 'max', 'range']) rates[name] = rate(() => x[name]())
    rates.any = rate(() => l.any())
    print(rates)
    store.close()
  },

  /** A file with four vectors of positive doubles, and where they are in it. */
  async operationsMake({ file, length }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    const store = openFmalloc(file)
    const names = ['a', 'b', 'c', 'd']
    for (const [k, name] of names.entries()) {
      const view = store.vector('numeric', length, { name }).view()
      for (let i = 0; i < length; i++) view[i] = ((i * 7919 + k * 104729) % 100003) / 10007 + 0.5
    }
    await store.sync()
    const rows = store.allocations()
    const places = Object.fromEntries(rows.map(row => [row.name, row.payloadOffset]))
    print({ places, cores: fmallocOptions().threads })
    store.close()
  },

  /** Seconds of processor time a thread; every result is destroyed, so that the next one finds its space. */
  async operations({ file, threads, runs }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    fmallocOptions({ threads })
    const store = openFmalloc(file)
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(name => store.get(name))
    const [l, m] = [a.lt(b), b.lt(c)]
    const seconds = (fn, n = 1) => {
      fn()
      const taken = Array.from({ length: runs }, () => {
        const before = process.cpuUsage()
        for (let i = 0; i < n; i++) fn()
        const { user, system } = process.cpuUsage(before)
        return (user + system) / 1e6 / n
      })
      return median(taken)
    }
    const wide = fn => seconds(() => fn().destroy()) / threads
    const [x, y] = [0, 1].map(k =>
      store.vector(
        'numeric',
        Float64Array.from({ length: 10 }, (_, i) => i + k),
      ),
    )
    print({
      'a + b': wide(() => a.add(b)),
      '2a + b*c - d': wide(() => a.lazy().mul(2).add(b.lazy().mul(c)).sub(d).evaluate()),
      exp: wide(() => a.exp()),
      log: wide(() => a.log()),
      sin: wide(() => a.sin()),
      cumsum: wide(() => a.cumsum()),
      'a < b': wide(() => a.lt(b)),
      'l & m': wide(() => l.and(m)),
      small: seconds(() => x.add(y), 20_000),
      resident: peakMiB(),
    })
    store.close()
  },

  /** A file with doubles that stand in no order, and strings. */
  async orderingMake({ file, len, strings }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    const store = openFmalloc(file)
    let state = 1
    const draw = () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state >>> 0
    }
    const view = store.vector('numeric', len, { name: 'x' }).view()
    for (let i = 0; i < len; i++) view[i] = (draw() + draw() / 2 ** 32) / 2 ** 32
    const texts = Array.from({ length: strings }, () => `key ${draw() % 1e7}`)
    store.vector('character', texts, { name: 'texts' })
    print({ cores: fmallocOptions().threads })
    store.close()
  },

  /** Milliseconds of each; results are destroyed, so that the next one finds their space. */
  async ordering({ file, threads, runs }) {
    const { openFmalloc, fmallocOptions } = await import('rfmalloc')
    fmallocOptions({ threads })
    const store = openFmalloc(file)
    const [x, texts] = [store.get('x'), store.get('texts')]
    const timed = fn => {
      fn().destroy()
      const taken = Array.from({ length: runs }, () => {
        let result
        const ms = time(() => (result = fn()))
        result.destroy()
        return ms
      })
      return median(taken)
    }
    const sort = timed(() => x.sort())
    const peak = peakMiB()
    print({ sort, peak, order: timed(() => x.order()), strings: timed(() => texts.order()) })
    store.close()
  },

  /** Each of the readers of one CSV file: seconds of processor time, and the rows found. */
  async csvFmalloc({ file, csv, out }) {
    const { openFmalloc } = await import('rfmalloc')
    const store = openFmalloc(file, { syncEvery: false })
    const seconds = processorTime()
    const { frame, rows } = await store.importCsv(csv, { name: 'rows' })
    const read = seconds()
    const peak = peakMiB()
    const again = processorTime()
    await frame.exportCsv(out, { replace: true })
    print({ read, rows, peak, write: again() })
    store.close()
  },

  async csvDuckdb({ home, csv }) {
    const { DuckDBInstance } = createRequire(`${home}/`)('@duckdb/node-api')
    const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
    const seconds = processorTime()
    await db.run(`create table t as select * from read_csv('${csv}', nullstr = '')`)
    const read = seconds()
    const count = await db.runAndReadAll('select count(*) from t')
    print({ read, rows: Number(count.getRows()[0][0]), peak: peakMiB() })
  },

  async csvPolars({ home, csv }) {
    process.env.POLARS_MAX_THREADS = '1'
    const pl = createRequire(`${home}/`)('nodejs-polars')
    const seconds = processorTime()
    const { height } = pl.readCSV(csv)
    print({ read: seconds(), rows: height, peak: peakMiB() })
  },

  async csvParse({ home, csv }) {
    const { parse } = createRequire(`${home}/`)('csv-parse')
    const seconds = processorTime()
    let rows = 0
    for await (const row of createReadStream(csv).pipe(parse({ columns: true, cast: true })))
      rows += row ? 1 : 0
    print({ read: seconds(), rows, peak: peakMiB() })
  },

  /** A store with n small named vectors. */
  async lsMake({ file, n }) {
    const { openFmalloc } = await import('rfmalloc')
    const store = openFmalloc(file, { syncEvery: false })
    for (let i = 0; i < n; i++) store.vector('integer', [i, i + 1], { name: `sensor/${i}` })
    store.close()
    print({ n })
  },

  /** All names of a store that was just opened. */
  async lsKeys({ file }) {
    const { openFmalloc } = await import('rfmalloc')
    const store = openFmalloc(file, { readOnly: true })
    const started = performance.now()
    const names = [...store.keys()]
    print({ ms: performance.now() - started, n: names.length, peak: peakMiB() })
    store.close()
  },

  /** Names n vectors of 8 doubles in a fresh store, from JavaScript. */
  async createFmalloc({ file, n, kill }) {
    const { openFmalloc } = await import('rfmalloc')
    const started = performance.now()
    const store = openFmalloc(file)
    for (let i = 0; i < n; i++) store.vector('numeric', values, { name: nameOf(i) })
    print({ perSecond: (n / (performance.now() - started)) * 1000, peak: peakMiB() })
    if (kill) process.kill(process.pid, 'SIGKILL')
    store.close()
  },

  /** Puts the same bytes under the same keys; committed, not flushed: as safe from a dying process as the other. */
  async createLmdb({ file, n, kill }) {
    const { open } = await import('lmdb')
    const started = performance.now()
    const db = open({ path: file, encoding: 'binary', noSubdir: true })
    let last
    for (let i = 0; i < n; i++) last = db.put(nameOf(i), bytes)
    await last
    print({ perSecond: (n / (performance.now() - started)) * 1000, peak: peakMiB() })
    if (kill) process.kill(process.pid, 'SIGKILL')
    await db.close()
  },

  /** A product of two random matrices of n rows and columns, and the sums of the rows and columns of a third. */
  async matrices({ file, n, rows, cols, threads }) {
    const { fmallocOptions, openFmalloc } = await import('rfmalloc')
    fmallocOptions({ threads })
    const store = openFmalloc(file, { mode: 'scratch' })
    const random = (nrow, ncol) => randomMatrix(store, nrow, ncol)
    const timed = fn => {
      fn().destroy()
      return median(Array.from({ length: 5 }, () => time(() => fn().destroy())))
    }
    const [a, b, x] = [random(n, n), random(n, n), random(rows, cols)]
    const product = timed(() => a.matmul(b))
    const rowSums = timed(() => x.rowSums())
    const colSums = timed(() => x.colSums())
    print({ product, rowSums, colSums })
    store.close()
  },

  /** Makes a matrix on disk, for `gram`. */
  async coldMatrix({ file, rows, cols }) {
    const { openFmalloc } = await import('rfmalloc')
    const store = openFmalloc(file, { syncEvery: false })
    randomMatrix(store, rows, cols).keep('X')
    await store.sync()
    store.close()
    print({})
  },

  /** The product of a matrix with itself: on disk within `memory` bytes, or without `memory` all of it in memory. Memory beyond the start's. */
  async gram({ file, memory, threads }) {
    const { fmallocOptions, openFmalloc } = await import('rfmalloc')
    fmallocOptions({ threads, oocThresholdGb: 1e6 })
    const store = openFmalloc(file, { readOnly: true })
    const X = store.get('X')
    if (memory === undefined) for (const window of X.windows()) window.sum()
    const before = peakMiB()
    const ms = time(() => X.crossprod(memory === undefined ? {} : { memory }))
    print({ ms, peak: peakMiB() - before })
    store.close()
  },

  /** Writes n strings of `bytes` bytes, reads them in bulk and one by one, and compares 8 n of them with one. */
  async stringsFmalloc({ file, n, bytes }) {
    const { openFmalloc } = await import('rfmalloc')
    const texts = textsOf(n, bytes)
    const store = openFmalloc(file, { syncEvery: false })
    const taken = () => {
      const { liveBytes, metadataBytes } = store.diagnose().summary
      return liveBytes + metadataBytes
    }
    const before = taken()
    let v
    const write = time(() => (v = store.vector('character', texts, { name: 'v' })))
    const room = (taken() - before) / n
    let copy
    const read = time(() => (copy = v.toArray()))
    if (copy.some((text, i) => text !== texts[i])) throw new Error('read something else')
    const get = time(() => {
      for (let i = 0; i < n; i++) if (v.get(i).length !== bytes) throw new Error(`read ${v.get(i)}`)
    })
    const plain = time(() => (copy = texts.map(text => text)))
    const long = store.vector('character', 8 * n)
    for (let k = 0; k < 8; k++) long.subarray(k * n, (k + 1) * n).fill(`text ${k}`)
    long.eq('text 3').destroy()
    const equal = (8 * n) / 1000 / time(() => long.eq('text 3').destroy())
    print({ write, read, get, plain, room, equal, peak: peakMiB() })
    store.close()
  },

  /** Puts the same strings under their numbers, and gets them. */
  async stringsLmdb({ file, n, bytes }) {
    const { open } = await import('lmdb')
    const texts = textsOf(n, bytes)
    const db = open({ path: file, encoding: 'string', noSubdir: true })
    const started = performance.now()
    let last
    for (let i = 0; i < n; i++) last = db.put(i, texts[i])
    await last
    const write = performance.now() - started
    const read = time(() => {
      for (let i = 0; i < n; i++) if (db.get(i).length !== bytes) throw new Error(`read ${db.get(i)}`)
    })
    print({ write, read, peak: peakMiB() })
    await db.close()
  },

  /** Appends the same strings to apache-arrow's builder of Utf8, and reads the vector in bulk and one by one. In memory only. */
  async stringsArrow({ n, bytes }) {
    const { makeBuilder, Utf8 } = await import('apache-arrow')
    const texts = textsOf(n, bytes)
    let v
    const write = time(() => {
      const builder = makeBuilder({ type: new Utf8(), nullValues: [null] })
      for (const text of texts) builder.append(text)
      v = builder.finish().toVector()
    })
    let copy
    const read = time(() => (copy = v.toJSON()))
    if (copy.some((text, i) => text !== texts[i])) throw new Error('read something else')
    const get = time(() => {
      for (let i = 0; i < n; i++) if (v.get(i).length !== bytes) throw new Error(`read ${v.get(i)}`)
    })
    print({ write, read, get, peak: peakMiB() })
  },

  /** Makes a frame of the 3 million flights; filters it by a mask that a loop makes of numbers, and by one of a comparison of texts. */
  async framesFmalloc({ file }) {
    const { openFmalloc } = await import('rfmalloc')
    const { readFlights } = await import('../examples/flights.mjs')
    const store = openFmalloc(file, { syncEvery: false })
    const columns = { date: [], delay: [], distance: [], origin: [], destination: [] }
    for await (const group of readFlights())
      for (const [name, column] of Object.entries(columns)) for (const x of group[name]) column.push(x)
    const types = { date: 'numeric', delay: 'integer', distance: 'integer', origin: 'character' }
    const vectors = Object.entries(columns).map(([name, values]) => [
      name,
      store.vector(types[name] ?? 'character', values, { name }),
    ])
    const flights = store.dataFrame(Object.fromEntries(vectors), { name: 'flights' })
    const measure = mask => {
      const samples = []
      let rows = 0
      for (let run = -1; run < 5; run++) {
        let found
        let where
        const ms = time(() => {
          where = mask()
          found = flights.filter(where)
        })
        rows = found.nrow
        found.destroy()
        where.destroy({ unsafe: true })
        if (run >= 0) samples.push(ms)
      }
      return { ms: median(samples), rows }
    }
    const delay = flights.column('delay').view()
    const late = measure(() => {
      const mask = store.vector('logical', delay.length)
      const bits = mask.view()
      for (let i = 0; i < delay.length; i++) bits[i] = delay[i] > 60 ? 1 : 0
      return mask
    })
    const from = measure(() => flights.column('origin').eq('ATL'))
    print({ late: late.ms, lateRows: late.rows, from: from.ms, fromRows: from.rows, peak: peakMiB() })
    store.close()
  },

  /** The same with Polars, installed below `home`; its columns have the types that it reads from the file. */
  async framesPolars({ home, parquet }) {
    const pl = createRequire(`${home}/`)('nodejs-polars')
    const flights = pl.readParquet(parquet)
    const measure = condition => {
      const samples = []
      let rows = 0
      for (let run = -1; run < 5; run++) {
        const ms = time(() => (rows = flights.filter(condition()).height))
        if (run >= 0) samples.push(ms)
      }
      return { ms: median(samples), rows }
    }
    const late = measure(() => pl.col('delay').gt(60))
    const from = measure(() => pl.col('origin').eq(pl.lit('ATL')))
    print({ late: late.ms, lateRows: late.rows, from: from.ms, fromRows: from.rows, peak: peakMiB() })
  },

  async openFmalloc({ file, n, kill }) {
    const { openFmalloc } = await import('rfmalloc')
    const work = () => {
      const store = openFmalloc(file)
      const first = store.getVector(nameOf(wanted(n)), 'numeric').get(0)
      const dirty = () => store.vector('numeric', values, { name: 'dirty', replace: true })
      return { first, dirty, close: () => store.close() }
    }
    await timeOpen(work, { kill })
  },

  async openLmdb({ file, n, kill }) {
    const { open } = await import('lmdb')
    const work = () => {
      const db = open({ path: file, encoding: 'binary', noSubdir: true })
      const first = db.getBinary(nameOf(wanted(n))).readDoubleLE(0)
      return { first, dirty: () => db.put('dirty', bytes), close: () => db.close() }
    }
    await timeOpen(work, { kill })
  },

  /** Selects n of n doubles at random positions and half of them by a mask, and converts and copies them; results end before the next. */
  async subscripts({ file, n }) {
    const { openFmalloc } = await import('rfmalloc')
    const store = openFmalloc(file)
    const x = store.vector(
      'numeric',
      Float64Array.from({ length: n }, (_, i) => i * 0.5),
      { name: 'x' },
    )
    const at = store.vector('numeric', n, { name: 'at' })
    const where = at.view()
    for (let i = 0; i < n; i++) where[i] = Math.floor(Math.random() * n)
    const mask = store.vector('logical', n, { name: 'mask' })
    const bits = mask.view()
    for (let i = 0; i < n; i++) bits[i] = Math.random() < 0.5 ? 1 : 0
    const measure = make => {
      const samples = []
      for (let run = -1; run < 5; run++) {
        let result
        const ms = time(() => (result = make()))
        result.destroy({ unsafe: true })
        if (run >= 0) samples.push(ms)
      }
      return median(samples)
    }
    const positions = measure(() => x.select(at))
    const selected = measure(() => x.select(mask))
    const copy = measure(() => x.copy())
    const convert = measure(() => x.as('integer'))
    print({ positions, selected, copy, convert, copyRatio: copy / convert })
    store.close()
  },

  /** Sums n doubles by the same loop: in a plain array, and through a view; in turn, after a warm-up. */
  async viewLoop({ file, n, runs }) {
    const { openFmalloc } = await import('rfmalloc')
    const plain = Float64Array.from({ length: n }, (_, i) => i % 1000)
    const store = openFmalloc(file)
    const vector = store.vector('numeric', plain, { name: 'x' })
    const sum = xs => {
      let total = 0
      for (let i = 0; i < xs.length; i++) total += xs[i]
      return total
    }
    const time = xs => {
      const started = performance.now()
      const total = sum(xs)
      return { ms: performance.now() - started, total }
    }
    const view = vector.view()
    const samples = []
    for (let run = -2; run < runs; run++) {
      const [a, b] = run % 2 === 0 ? [time(plain), time(view)] : [time(view), time(plain)].toReversed()
      if (a.total !== b.total) throw new Error(`sums differ: ${a.total}, ${b.total}`)
      if (run >= 0) samples.push({ plain: a.ms, view: b.ms, ratio: a.ms / b.ms })
    }
    print({ samples, peak: peakMiB() })
    store.close()
  },
}

const [task, options] = process.argv.slice(2)
await tasks[task](JSON.parse(options))
