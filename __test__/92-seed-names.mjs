// The functions with R's names: the default store, creating, destroying, inspecting, changing in place. Rows 1.20 to 1.22, 2.1 to 2.14, 5.1 to
// 5.9, 13.1, 13.3, 13.4 and 13.8; the catalog's rows are in 93-seed-catalog. Tests of the default store run one after the other: there is one
// per thread.

import fs from 'node:fs'
import test from 'ava'
import {
  captureWarnings,
  cleanupFmalloc,
  createFmallocVector,
  destroyFmallocVector,
  fmallocDefaultRuntime,
  fmallocFill,
  fmallocRuntime,
  fmallocRuntimeInfo,
  fmallocSet,
  fmallocStorageAdvise,
  fmallocSync,
  fmallocVectorInfo,
  fmallocVectorLength,
  fmallocVectorType,
  initFmalloc,
  isFmallocRuntime,
  isFmallocVector,
  openFmalloc,
  serializeFmalloc,
  Vector,
} from '../dist/index.js'
import { content, sameBits, TYPES } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { fileWith, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** Installs a default store for the test and removes it afterwards. */
function install(t, file = freshPath(t)) {
  t.teardown(() => fmallocDefaultRuntime()?.close())
  t.teardown(() => cleanupFmalloc())
  return initFmalloc(file)
}

// ---- the default store

test.serial('1.20 initFmalloc installs the default and says whether the file is new', t => {
  const file = freshPath(t)
  t.is(install(t, file), true)
  const store = fmallocDefaultRuntime()
  t.true(isFmallocRuntime(store))
  t.is(store.path, fs.realpathSync(file))
  createFmallocVector('integer', 3)
  cleanupFmalloc()
  t.is(initFmalloc(file), false)
})

test.serial(
  '1.21 a default already installed: a warning, the old one is cleaned up, the new one installed',
  t => {
    install(t)
    const old = fmallocDefaultRuntime()
    const v = old.vector('integer', [1])
    const file = freshPath(t)
    const { value, warnings } = captureWarnings(() => initFmalloc(file))
    t.true(value)
    t.deepEqual(
      warnings.map(({ code }) => code),
      ['already-initialized'],
    )
    t.regex(warnings[0].message, /already initialized/)
    t.not(fmallocDefaultRuntime(), old)
    refuses(t, () => old.vector('integer', 1), 'CLOSED')
    t.is(v.get(0), 1, "cleaned up by R's rule: a reachable vector lives")
    old.close()
  },
)

test.serial('1.22 errors as for open; the previous default stays when opening fails', t => {
  install(t)
  const store = fmallocDefaultRuntime()
  const foreign = fileWith(t, 'not a store '.repeat(10_000))
  const { warnings } = captureWarnings(() => {
    refuses(t, () => initFmalloc(''), 'ARGUMENT')
    refuses(t, () => initFmalloc(freshPath(t), -1), 'ARGUMENT')
    refuses(t, () => initFmalloc(freshPath(t), undefined, 'mode'), 'ARGUMENT')
    refuses(t, () => initFmalloc(foreign), 'NOT_A_STORE')
  })
  t.is(fmallocDefaultRuntime(), store)
  t.is(createFmallocVector('integer', 1).store, store)
  t.deepEqual(warnings, [])
})

test.serial('the default is per thread', async t => {
  install(t)
  const other = await inChild(
    t,
    async ({ fm, args, workers }) => {
      fm.initFmalloc(args.file)
      const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData).then((fm) => parentPort.postMessage(fm.fmallocDefaultRuntime()))`
      const worker = new workers.Worker(code, { eval: true, workerData: args.url })
      return String(
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
      )
    },
    { file: freshPath(t), url: new URL('../dist/index.js', import.meta.url).href },
  )
  t.is(other, 'null')
})

// ---- creating

test('2.1 the types, in any letter case, double and real for numeric; anything else is unsupported', t => {
  const store = freshStore(t)
  const spelled = {
    logical: ['logical', 'LOGICAL'],
    integer: ['integer', 'Integer'],
    numeric: ['numeric', 'double', 'REAL', 'Double'],
    raw: ['raw', 'Raw'],
    complex: ['complex', 'cOmPlEx'],
    character: ['character', 'Character'],
  }
  for (const [type, names] of Object.entries(spelled))
    for (const name of names) t.is(createFmallocVector(name, 1, store).type, type, name)
  for (const name of ['list', 'List']) t.is(createFmallocVector(name, 1, store).type, 'list')
  t.is(createFmallocVector(undefined, 1, store).type, 'integer')
  for (const name of ['factor', 'closure', 'int', '', 'date'])
    refuses(t, () => createFmallocVector(name, 1, store), 'TYPE', /unsupported vector type/)
})

test('2.2 a type that is not one string is refused before the rest', t => {
  for (const type of [1, ['integer'], {}, true])
    refuses(t, () => createFmallocVector(type, -1, 'no runtime'), ['TYPE', 'ARGUMENT'], /type/i)
})

test.serial('2.3 a length that is none is refused, before "not initialised"', t => {
  for (const n of [-1, 1.5, NaN, Infinity, '3', null, undefined, [3], true])
    refuses(t, () => createFmallocVector('integer', n), 'ARGUMENT', /non-negative integer-valued|length/i)
  refuses(
    t,
    () => createFmallocVector('integer', 2 ** 52 + 2),
    ['ARGUMENT', 'TOO_LARGE'],
    /exceed|limit|large/i,
  )
  refuses(t, () => createFmallocVector('nonsense', 1), 'TYPE')
})

test.serial('2.4 no runtime and no default: the error tells to initialise or to pass one', t => {
  refuses(t, () => createFmallocVector('integer', 1), 'NOT_INITIALIZED', /init.*runtime|runtime.*init/is)
  refuses(t, () => createFmallocVector('integer', 1, null), 'NOT_INITIALIZED')
  refuses(t, () => createFmallocVector('integer', 1, {}), 'NOT_INITIALIZED')
})

test('2.5 a closed runtime is refused', t => {
  const store = freshStore(t)
  store.close()
  refuses(t, () => createFmallocVector('integer', 1, store), 'CLOSED')
})

test('2.5 what is no runtime is refused', t => {
  for (const runtime of [1, 'a.fm', true, [], { runtime: 1 }])
    refuses(t, () => createFmallocVector('integer', 1, runtime), ['ARGUMENT', 'TYPE'])
})

test('2.6 zero_initialize not one of true and false is refused', t => {
  const store = freshStore(t)
  for (const zero of [1, 'yes', NaN, []]) {
    refuses(t, () => createFmallocVector('integer', 1, store, zero), 'ARGUMENT')
    refuses(t, () => createFmallocVector('integer', 1, { runtime: store, zeroInitialize: zero }), 'ARGUMENT')
  }
  t.is(createFmallocVector('integer', 1, store, false).length, 1)
  t.deepEqual(store.allocations().length, 1)
})

test('2.7 zero-filled contents', t => {
  const store = freshStore(t)
  const zeros = { logical: false, integer: 0, numeric: 0, complex: { re: 0, im: 0 }, raw: 0 }
  for (const [type, zero] of Object.entries(zeros)) {
    t.deepEqual(createFmallocVector(type, 3, store).toArray(), [zero, zero, zero])
    t.true(
      createFmallocVector(type, 100_000, { runtime: store })
        .view()
        .every(x => x === 0),
      type,
    )
  }
})

test('2.8 with false the contents are undefined, the length is not', t => {
  const store = freshStore(t)
  for (const type of Object.keys(TYPES))
    t.is(
      createFmallocVector(type, 1000, store, false).toTypedArray().length,
      type === 'complex' ? 2000 : 1000,
    )
})

test('2.9 length 0 is fine for every type and occupies no payload', t => {
  const store = freshStore(t)
  for (const type of Object.keys(TYPES)) {
    const v = createFmallocVector(type, 0, store)
    t.is(v.length, 0)
    t.deepEqual(v.toArray(), [])
  }
  for (const row of store.allocations()) t.is(row.payloadNbytes, 0)
})

test('2.10 element widths', t => {
  const store = freshStore(t)
  const widths = Object.keys(TYPES).map(type => [type, createFmallocVector(type, 10, store).nbytes / 10])
  t.deepEqual(Object.fromEntries(widths), { logical: 4, integer: 4, numeric: 8, complex: 16, raw: 1 })
})

test('2.11 out of space: an error with the byte count, and smaller requests may succeed', t => {
  const store = freshStore(t, 1 / 64)
  refuses(t, () => createFmallocVector('numeric', 2 ** 22, store), 'NO_SPACE', /33554432/)
  t.is(createFmallocVector('numeric', 10, store).length, 10)
})

test('2.12 one vector may take nearly the whole file', t => {
  const store = freshStore(t, 1 / 16)
  const v = createFmallocVector('raw', 60 * 2 ** 20, store)
  v.view().fill(7, v.length - 5)
  t.is(v.at(-1), 7)
  t.true(store.verify().ok)
})

test('2.13 persistent: exactly one record per vector; scratch: none', t => {
  const store = freshStore(t)
  const scratch = freshStore(t, { mode: 'scratch' })
  for (let i = 1; i <= 5; i++) {
    createFmallocVector('integer', i, store)
    createFmallocVector('integer', i, scratch)
    t.is(store.allocations().length, i)
    t.deepEqual(scratch.allocations(), [])
  }
})

test('2.14 decided: one class Vector with the base type as its type', t => {
  const v = createFmallocVector('integer', 1, freshStore(t))
  t.true(v instanceof Vector)
  t.is(v.type, 'integer')
  t.is(v.kind, 'vector')
  t.true(isFmallocVector(v))
})

// ---- destroying

test('5.1 true when it was destroyed, false when it was already', t => {
  const v = createFmallocVector('integer', 1, freshStore(t))
  t.true(destroyFmallocVector(v))
  t.false(destroyFmallocVector(v))
})

test('5.1 not file-backed, or unsafe not one true or false: refused, nothing destroyed', t => {
  const v = createFmallocVector('integer', 1, freshStore(t))
  for (const x of [1, [1], Int32Array.of(1), null, undefined, {}, v.view(), v.store])
    refuses(t, () => destroyFmallocVector(x), ['ARGUMENT', 'TYPE'])
  for (const unsafe of [1, 'yes', {}]) refuses(t, () => destroyFmallocVector(v, unsafe), 'ARGUMENT')
  t.is(v.get(0), 0)
})

test('5.2 any later use of the handle: closed handle', t => {
  const v = createFmallocVector('integer', 1, freshStore(t))
  destroyFmallocVector(v)
  for (const use of [
    () => v.get(0),
    () => v.set(0, 1),
    () => fmallocFill(v, 1),
    () => fmallocSet(v, 0, 1),
    () => fmallocStorageAdvise(v, 'willneed'),
    () => serializeFmalloc(v),
  ]) {
    refuses(t, use, 'DESTROYED', /destroyed|closed handle/)
  }
})

test('5.3 while it sits in a list it is not destroyed, and the error counts its places', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 1, store)
  const list = createFmallocVector('list', 2, store)
  list.set(0, v).set(1, v)
  t.is(fmallocVectorInfo(v).parentRefs, 2)
  refuses(t, () => destroyFmallocVector(v), 'BUSY', /2 parent references/)
  list.set(0, null).set(1, null)
  t.true(destroyFmallocVector(v))
})

test('5.4 scratch: the space returns at once', t => {
  const store = freshStore(t, { mode: 'scratch', sizeGb: 1 / 32 })
  for (let i = 0; i < 200; i++) destroyFmallocVector(createFmallocVector('raw', 10 * 2 ** 20, store))
  t.is(createFmallocVector('raw', 10 * 2 ** 20, store).length, 10 * 2 ** 20)
})

test('5.5 persistent: a synced record becomes a tombstone and references to it are refused', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 5, store)
  store.syncNow()
  destroyFmallocVector(v)
  t.deepEqual(
    store.allocations().map(({ state }) => state),
    ['tombstone'],
  )
  refuses(t, () => serializeFmalloc(v), 'DESTROYED')
})

for (const unsafe of [false, true]) {
  test(`5.5 decided: the bytes are used again after a sync, with unsafe at once, and never run out (unsafe ${unsafe})`, t => {
    const store = freshStore(t, 1 / 32)
    for (let i = 0; i < 100; i++) {
      const v = createFmallocVector('raw', 10 * 2 ** 20, store)
      store.syncNow()
      destroyFmallocVector(v, unsafe)
    }
    t.true(store.verify().ok)
  })
}

test('5.6 a destroyed vector is not recoverable', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 5, store)
  const blob = serializeFmalloc(v)
  store.syncNow()
  destroyFmallocVector(v)
  t.is(store.allocations()[0].recoverable, false)
  store.close()
  t.true(blob.length > 0)
  t.is(
    open(t, store.path)
      .allocations()
      .filter(({ recoverable }) => recoverable).length,
    0,
  )
})

test('5.7 others in the file are not touched', t => {
  const store = freshStore(t)
  const all = Array.from({ length: 50 }, (_, i) => store.vector('numeric', content('numeric', 300, i)))
  for (let i = 0; i < 50; i += 2) destroyFmallocVector(all[i], i % 4 === 0)
  store.syncNow()
  for (let i = 0; i < 50; i++) createFmallocVector('numeric', 300, store).fill(-1)
  for (let i = 1; i < 50; i += 2) t.true(sameBits(all[i].toTypedArray(), content('numeric', 300, i)))
})

test('5.8 decided: every handle dies, also after an ordinary destroy; the bytes of a view stay while it lives', t => {
  const store = freshStore(t)
  for (const unsafe of [false, true]) {
    const v = createFmallocVector('integer', 100, store).fill(4)
    const alias = v.subarray(0, 50)
    const xs = v.view()
    destroyFmallocVector(v, unsafe)
    store.syncNow()
    for (let i = 0; i < 20; i++) createFmallocVector('integer', 100, store).fill(5)
    refuses(t, () => alias.get(0), 'DESTROYED')
    t.true(xs.every(x => x === 4))
  }
})

test('5.9 collection of a scratch vector frees its space, of a persistent one nothing', async t => {
  const facts = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const scratch = fm.openFmalloc(args.scratch, { mode: 'scratch', sizeGb: 1 / 32 })
      const store = fm.openFmalloc(args.file)
      for (let i = 0; i < 60; i++) {
        fm.createFmallocVector('raw', 2 ** 20, scratch)
        fm.createFmallocVector('raw', 1000, store)
        if (i % 10 === 9) await collect(1)
      }
      await collect()
      return { rows: store.allocations().length }
    },
    { file: freshPath(t), scratch: freshPath(t, 'scratch.fm') },
  )
  t.deepEqual(facts, { rows: 60 })
})

// ---- inspection

test('13.1 isFmallocRuntime and isFmallocVector never fail', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 1, store)
  t.deepEqual([isFmallocRuntime(store), isFmallocVector(v)], [true, true])
  for (const x of [
    undefined,
    null,
    1,
    'x',
    {},
    [],
    Symbol('x'),
    v.view(),
    Object.create(Vector.prototype),
    new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
      },
    ),
  ]) {
    t.deepEqual([isFmallocRuntime(x), isFmallocVector(x)], [false, false])
  }
  t.deepEqual([isFmallocRuntime(v), isFmallocVector(store)], [false, false])
  destroyFmallocVector(v)
  store.close()
  t.deepEqual([isFmallocRuntime(store), isFmallocVector(v)], [true, true])
})

test.serial('13.1 fmallocDefaultRuntime is null if there is none', t => {
  t.is(fmallocDefaultRuntime(), null)
})

test('13.1 type, length, runtime and the facts of a vector', t => {
  const store = freshStore(t)
  const numbers = { logical: 10, integer: 13, numeric: 14, complex: 15, raw: 24 }
  for (const [type, sexptype] of Object.entries(numbers)) {
    const v = createFmallocVector(type, 7, store)
    t.is(fmallocVectorType(v), type)
    t.is(fmallocVectorLength(v), 7)
    t.is(fmallocRuntime(v), store)
    const info = fmallocVectorInfo(v)
    const [row] = store.allocations()
    t.like(info, {
      type,
      sexptype,
      length: 7,
      payloadNbytes: v.nbytes,
      payloadOffset: row.payloadOffset,
      catalogOffset: row.recordOffset,
      generation: row.generation,
      runtimeUuid: store.uuid,
      runtimeMode: 'persistent',
      runtimeFilepath: store.path,
      runtimeOpen: true,
      parentRefs: 0,
      recoverable: true,
    })
    t.is(typeof info.maybeDirty, 'boolean')
    t.false(info.dataptrExposed)
    t.truthy(v.view())
    t.true(fmallocVectorInfo(v).dataptrExposed)
  }
})

test('13.1 not file-backed: refused', t => {
  for (const x of [1, [1], Int32Array.of(1), null, undefined, 'x', {}]) {
    for (const fn of [fmallocVectorType, fmallocVectorLength, fmallocVectorInfo, fmallocRuntime])
      refuses(t, () => fn(x), ['ARGUMENT', 'TYPE'])
  }
})

test('13.1 the facts of a runtime', t => {
  const store = freshStore(t)
  const info = fmallocRuntimeInfo(store)
  t.deepEqual(Object.keys(info).sort(), [
    'catalogCount',
    'catalogEpoch',
    'catalogHeadOffset',
    'closeRequested',
    'externalRefs',
    'filepath',
    'liveVectors',
    'mappedBytes',
    'mode',
    'runtimeOpen',
    'uuid',
  ])
  t.deepEqual(info, store.diagnose().runtime)
  for (const x of [1, 'x', {}, []]) refuses(t, () => fmallocRuntimeInfo(x), ['ARGUMENT', 'TYPE'])
})

// ---- in place

test('13.3 fmallocSet writes through all aliases and returns its vector; positions are 0-based by decision', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 4, store)
  const alias = v.subarray(0)
  t.is(fmallocSet(v, 0, 7), v)
  fmallocSet(v, [1, 3], [8, 9])
  fmallocSet(v, Int32Array.of(2), 5)
  t.deepEqual(alias.toArray(), [7, 8, 5, 9])
  fmallocSet(v, [0, 1, 2, 3], 1)
  t.deepEqual(v.toArray(), [1, 1, 1, 1])
  fmallocSet(v, [], [])
  t.deepEqual(v.toArray(), [1, 1, 1, 1])
})

test('13.3 fmallocSet checks every index and the length before the first write (decided)', t => {
  const v = createFmallocVector('integer', 3, freshStore(t))
  for (const i of [
    [0, 3],
    [0, -1],
    [0, 1e10],
  ])
    refuses(t, () => fmallocSet(v, i, 1), ['OUT_OF_BOUNDS', 'SUBSCRIPT'])
  for (const i of [[0, 0.5], [0, NaN], [0, null], NaN])
    refuses(t, () => fmallocSet(v, i, 1), ['SUBSCRIPT', 'OUT_OF_BOUNDS', 'VALUE'])
  refuses(t, () => fmallocSet(v, [0, 1, 2], [1, 2]), ['LENGTH', 'ARGUMENT'])
  refuses(t, () => fmallocSet(v, [0, 1], [1, 2, 3]), ['LENGTH', 'ARGUMENT'])
  t.deepEqual(v.toArray(), [0, 0, 0])
})

test("13.3 fmallocSet and fmallocFill convert the value to the vector's type, as R does", t => {
  const store = freshStore(t)
  const make = type => createFmallocVector(type, 1, store)
  t.is(fmallocSet(make('integer'), 0, 1.9).get(0), 1)
  t.is(fmallocSet(make('integer'), 0, true).get(0), 1)
  t.is(fmallocSet(make('logical'), 0, 5).get(0), true)
  t.is(fmallocSet(make('numeric'), 0, false).get(0), 0)
  t.is(fmallocSet(make('numeric'), 0, null).get(0), null)
  t.deepEqual(fmallocSet(make('complex'), 0, 2).get(0), { re: 2, im: 0 })
  t.is(fmallocFill(make('integer'), -1.9).get(0), -1)
  t.is(fmallocFill(make('logical'), 0).get(0), false)
  const range = captureWarnings(() => fmallocSet(make('integer'), 0, 1e10).get(0))
  t.is(range.value, null)
  t.deepEqual(
    range.warnings.map(({ code }) => code),
    ['integer-range'],
  )
  const raw = captureWarnings(() => fmallocFill(make('raw'), 300).get(0))
  t.is(raw.value, 0)
  t.deepEqual(
    raw.warnings.map(({ code }) => code),
    ['raw-range'],
  )
})

test('13.3 text is refused, and so is what is no vector', t => {
  const v = createFmallocVector('integer', 1, freshStore(t))
  refuses(t, () => fmallocSet(v, 0, '1'), ['TYPE', 'VALUE', 'UNSUPPORTED', 'NON_NUMERIC'])
  refuses(t, () => fmallocFill(v, '1'), ['TYPE', 'VALUE', 'UNSUPPORTED', 'NON_NUMERIC'])
  refuses(t, () => fmallocFill(v, undefined), ['VALUE', 'ARGUMENT', 'TYPE'])
  refuses(t, () => fmallocFill(v, [1, 2]), ['LENGTH', 'ARGUMENT', 'VALUE'])
  refuses(t, () => fmallocSet([1], 0, 1), ['ARGUMENT', 'TYPE'])
  refuses(t, () => fmallocFill(null, 1), ['ARGUMENT', 'TYPE'])
  t.is(v.get(0), 0)
})

test('13.3 fmallocFill writes every element and returns its vector', t => {
  const store = freshStore(t)
  for (const type of Object.keys(TYPES)) {
    const v = createFmallocVector(type, 10_000, store)
    t.is(fmallocFill(v, 1), v)
    t.deepEqual(v.at(-1), { logical: true, complex: { re: 1, im: 0 } }[type] ?? 1)
  }
})

test('13.4 fmallocSync flushes and returns the mapped bytes', t => {
  const store = freshStore(t)
  store.vector('raw', 2 ** 20, { name: 'v' }).fill(3)
  const mapped = fmallocSync(store)
  t.true(Number.isSafeInteger(mapped) && mapped >= 2 ** 20)
  t.is(mapped, fmallocRuntimeInfo(store).mappedBytes)
  t.is(typeof fmallocSync(store, false), 'number')
  for (const wait of [1, 'yes']) refuses(t, () => fmallocSync(store, wait), 'ARGUMENT')
  for (const x of [1, 'x', {}]) refuses(t, () => fmallocSync(x), ['ARGUMENT', 'TYPE', 'NOT_INITIALIZED'])
})

test.serial('13.4 fmallocSync without a runtime takes the default', t => {
  refuses(t, () => fmallocSync(), 'NOT_INITIALIZED')
  install(t)
  t.true(fmallocSync() > 0)
})

test('13.8 fmallocStorageAdvise never changes data; a range outside the payload is refused', t => {
  const bits = content('numeric', 100_000, 3)
  const v = freshStore(t).vector('numeric', bits)
  for (const advice of ['sequential', 'willneed', 'dontneed']) {
    t.is(fmallocStorageAdvise(v, advice), undefined)
    fmallocStorageAdvise(v, advice, 0, v.nbytes)
    fmallocStorageAdvise(v, advice, 4097, 10)
    fmallocStorageAdvise(v, advice, v.nbytes, 0)
    fmallocStorageAdvise(v, advice, 8, null)
  }
  t.true(sameBits(v.toTypedArray(), bits))
  for (const range of [
    [-1],
    [0.5],
    [v.nbytes + 1],
    [0, v.nbytes + 1],
    [v.nbytes, 1],
    [0, -1],
    [NaN],
    [0, 2 ** 53],
    [2 ** 53],
  ]) {
    refuses(t, () => fmallocStorageAdvise(v, 'willneed', ...range), ['OUT_OF_BOUNDS', 'ARGUMENT'])
  }
  for (const advice of ['', 'later', 1, null, undefined])
    refuses(t, () => fmallocStorageAdvise(v, advice), 'ARGUMENT')
  refuses(t, () => fmallocStorageAdvise([1], 'willneed'), ['ARGUMENT', 'TYPE'])
})

test('13.8 advice that drops pages keeps the changes in them', t => {
  const store = freshStore(t)
  const v = store.vector('integer', 100_000, { name: 'v' }).fill(5)
  v.view()[50_000] = 6
  fmallocStorageAdvise(v, 'dontneed')
  t.deepEqual([v.get(49_999), v.get(50_000)], [5, 6])
  store.close()
  t.is(openFmalloc(store.path, { readOnly: true }).getVector('v').get(50_000), 6)
})
