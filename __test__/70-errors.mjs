// Bad input: every wrong argument is a FmallocError with a code, before anything is touched. One store, thousands of wrong calls, and at
// the end it is as it was.

import fs from 'node:fs'
import test from 'ava'
import {
  captureWarnings,
  createMmapVector,
  FmallocError,
  fmallocOptions,
  isFmallocError,
  openFmalloc,
} from '../dist/index.js'
import { fileWith, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

test('an error has a code, a message, details and the class', t => {
  const error = refuses(t, () => freshStore(t).vector('integer', -1), 'ARGUMENT')
  t.true(error instanceof FmallocError)
  t.true(error instanceof Error)
  t.is(error.name, 'FmallocError')
  t.is(typeof error.details, 'object')
  t.true(Object.isFrozen(error.details))
  t.regex(error.stack, /70-errors\.mjs/)
  t.true(isFmallocError(error))
  t.true(isFmallocError(error, 'ERR_FMALLOC_ARGUMENT'))
  t.false(isFmallocError(error, 'ERR_FMALLOC_TYPE'))
})

test('isFmallocError never throws and is not taken in by a likeness', t => {
  for (const value of [
    undefined,
    null,
    1,
    'ERR_FMALLOC_TYPE',
    {},
    new Error('x'),
    { code: 'ERR_FMALLOC_TYPE' },
  ])
    t.false(isFmallocError(value))
})

const NOT_LENGTHS = [
  -1,
  0.5,
  NaN,
  Infinity,
  -Infinity,
  2 ** 53,
  '3',
  null,
  undefined,
  true,
  3n,
  Symbol('n'),
  new Date(3),
]
const NOT_NAMES = ['', 'x'.repeat(4097), '👍'.repeat(1025), 1, true, {}, [], Symbol('n'), 1n]
const NOT_TYPES = ['', 'ints', 'array', 'numericc', ' integer', 'f64']

test('a length that is none is refused and makes nothing', t => {
  const store = freshStore(t)
  for (const n of NOT_LENGTHS)
    refuses(t, () => store.vector('integer', n, { name: 'v' }), [
      'ARGUMENT',
      'VALUE',
      'TYPE',
      'TOO_LARGE',
      'LENGTH',
    ])
  t.is(store.size, 0)
  t.deepEqual(store.allocations(), [])
})

test('a length beyond what a file can hold is refused before anything is made', t => {
  const store = freshStore(t)
  const before = fs.statSync(store.path).size
  for (const n of [2 ** 52, 2 ** 52 + 1, 2 ** 50, 2 ** 45]) {
    for (const type of ['raw', 'complex'])
      refuses(t, () => store.vector(type, n), ['NO_SPACE', 'TOO_LARGE', 'ARGUMENT'])
  }
  t.is(fs.statSync(store.path).size, before)
  t.is(store.vector('integer', [1]).get(0), 1)
})

test('a name that is none is refused and makes nothing', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1])
  const copy = v.copy()
  for (const name of NOT_NAMES) {
    refuses(t, () => store.vector('integer', 1, { name }), 'ARGUMENT')
    refuses(t, () => store.set(name, v), 'ARGUMENT')
    refuses(t, () => copy.keep(name), 'ARGUMENT')
    refuses(t, () => v.copy({ name }), 'ARGUMENT')
  }
  refuses(t, () => store.set(null, v), 'ARGUMENT')
  refuses(t, () => store.vector('integer', 1, { name: 'half \ud800' }), 'ENCODING')
  refuses(t, () => store.set('\udc00', v), 'ENCODING')
  t.is(store.size, 0)
  t.is(v.name, null)
  t.is(copy.state, 'temporary')
  t.is(store.allocations().length, 1)
})

test('asking for a name that cannot be one finds nothing or is refused, and never throws anything else', t => {
  const store = freshStore(t)
  for (const name of NOT_NAMES) {
    for (const ask of [
      () => store.has(name),
      () => store.get(name),
      () => store.getVector(name),
      () => store.delete(name),
    ]) {
      try {
        t.true([false, undefined].includes(ask()))
      } catch (error) {
        t.true(isFmallocError(error), String(error))
      }
    }
  }
})

test('a type that is none is refused', t => {
  const store = freshStore(t)
  for (const type of NOT_TYPES) refuses(t, () => store.vector(type, 1), 'TYPE')
  for (const type of [1, null, undefined, {}, ['integer'], Symbol('t'), true])
    refuses(t, () => store.vector(type, 1), ['TYPE', 'ARGUMENT'])
  t.deepEqual(store.allocations(), [])
})

test('values that are none of the type are refused and make nothing', t => {
  const store = freshStore(t)
  const wrong = [[{}], [[1]], [() => 1], [Symbol('x')], [1, {}], [undefined], new Array(3)]
  for (const type of ['logical', 'integer', 'numeric', 'complex', 'raw']) {
    for (const values of wrong)
      refuses(t, () => store.vector(type, values, { name: 'v' }), [
        'VALUE',
        'TYPE',
        'ARGUMENT',
        'UNSUPPORTED',
      ])
  }
  t.is(store.size, 0)
  t.deepEqual(store.allocations(), [])
})

test('sources that are none are refused', t => {
  const store = freshStore(t)
  for (const source of [
    {},
    { length: 3 },
    'abc',
    () => [1],
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
    new WeakMap(),
    Promise.resolve([1]),
  ]) {
    refuses(t, () => store.vector('integer', source), ['ARGUMENT', 'VALUE', 'TYPE', 'UNSUPPORTED'])
    refuses(t, () => store.from(source), ['ARGUMENT', 'VALUE', 'TYPE', 'UNSUPPORTED'])
  }
})

test('options that are none are refused', t => {
  const store = freshStore(t)
  for (const options of [1, 'v', true]) refuses(t, () => store.vector('integer', 1, options), 'ARGUMENT')
  for (const replace of [1, 'yes', {}])
    refuses(t, () => store.vector('integer', 1, { name: 'v', replace }), 'ARGUMENT')
  t.is(store.size, 0)
})

for (const [option, values] of Object.entries({
  readOnly: [1, 'yes'],
  create: [0, 'no'],
  maxSize: [0, -1, 'much', '1 MB', '-1 MiB', NaN, {}, '1.5.2 GiB'],
  syncEvery: [-1, NaN, '5', true],
  durability: ['half', 1],
  unsynced: ['maybe', true],
  lockTimeout: [-1, NaN, '1'],
  mode: ['persist', 1],
  sizeGb: [0, -1, '1', NaN, 1001],
})) {
  test(`openFmalloc refuses a bad ${option} and touches nothing`, t => {
    const file = freshPath(t)
    for (const value of values) refuses(t, () => openFmalloc(file, { [option]: value }), 'ARGUMENT')
    t.false(fs.existsSync(file))
  })
}

test('null among the options is an option not given, as NULL is in R', t => {
  const store = freshStore(t, { sizeGb: null, mode: null, readOnly: null, maxSize: null, syncEvery: null })
  t.is(store.mode, 'persistent')
  t.is(store.vector('integer', 1, { name: null, replace: null }).name, null)
})

test('an option that does not exist is refused: a misspelt one must not be taken for a default', t => {
  const file = freshPath(t)
  refuses(t, () => openFmalloc(file, { readonly: true }), 'ARGUMENT', /readonly/)
  t.false(fs.existsSync(file))
  refuses(t, () => freshStore(t).vector('integer', 1, { Name: 'v' }), 'ARGUMENT', /Name/)
})

test('the defaults may be written out', t => {
  t.true(
    freshStore(t, {
      mode: 'persistent',
      readOnly: false,
      create: true,
      durability: 'process',
      syncEvery: 5000,
      unsynced: 'drop',
      lockTimeout: 0,
    }).created,
  )
})

test('syncEvery: false is allowed', t => {
  t.true(freshStore(t, { syncEvery: false }).created)
})

test('a vector of another store is refused where the same store is asked for', t => {
  const a = freshStore(t)
  const v = freshStore(t).vector('integer', [1])
  refuses(t, () => a.set('v', v), 'OTHER_STORE')
  t.is(a.size, 0)
  t.is(v.name, null)
  t.is(v.get(0), 1)
})

test('two handles of one store count as one store', t => {
  const a = freshStore(t)
  const b = open(t, a.path)
  const v = b.vector('integer', [1])
  a.set('v', v)
  t.is(v.name, 'v')
  t.true(b.has('v'))
})

test('store.set refuses what is no object of a store', t => {
  const store = freshStore(t)
  for (const value of [undefined, null, 1, 'v', [1], {}, Int32Array.of(1), store])
    refuses(t, () => store.set('v', value), ['ARGUMENT', 'TYPE', 'UNSUPPORTED'])
  t.is(store.size, 0)
})

test('a taken name: EXISTS, unless replace; and the old one is untouched by the refusal', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  const w = store.vector('integer', [2], { name: 'w' })
  refuses(t, () => store.vector('integer', [3], { name: 'v' }), 'EXISTS', /"?v"?/)
  refuses(t, () => store.set('v', w), 'EXISTS')
  refuses(t, () => w.copy({ name: 'v' }), 'EXISTS')
  t.is(store.get('v'), v)
  t.is(w.name, 'w')
  t.is(store.allocations().length, 2)
  store.set('v', w, { replace: true })
  t.is(store.get('v'), w)
  t.is(v.state, 'destroyed')
  t.deepEqual([...store.keys()], ['v'])
})

test('getVector: NOT_FOUND for a missing name, TYPE for another type', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  refuses(t, () => store.getVector('w'), 'NOT_FOUND', /w/)
  refuses(t, () => store.getVector('v', 'numeric'), 'TYPE', /integer/)
  refuses(t, () => store.getVector('v', 'nonsense'), ['TYPE', 'ARGUMENT'])
  t.is(store.getVector('v', 'integer').get(0), 1)
  refuses(t, () => store.getMatrix('w'), ['NOT_FOUND', 'UNSUPPORTED'])
  refuses(t, () => store.getMatrix('v'), ['TYPE', 'UNSUPPORTED'])
  refuses(t, () => store.getDataFrame('v'), ['TYPE', 'UNSUPPORTED'])
  refuses(t, () => store.getList('v'), ['TYPE', 'UNSUPPORTED'])
})

test('the map of names: get, has, keys, entries, size, delete', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  const w = store.vector('integer', [2], { name: 'w' })
  t.is(store.get('v'), v)
  t.is(store.getVector('v'), v)
  t.is(store.get('nothing'), undefined)
  t.true(store.has('w'))
  t.false(store.has('nothing'))
  t.is(store.size, 2)
  t.deepEqual([...store.keys()], ['v', 'w'])
  t.deepEqual(
    [...store.entries()].map(([name, x]) => [name, x === v || x === w]),
    [
      ['v', true],
      ['w', true],
    ],
  )
  t.is(store.set('x', v), store)
  t.is(v.name, 'x')
  t.is(store.get('v'), undefined)
  t.is(store.get('x'), v)
  t.true(store.delete('x'))
  t.false(store.delete('x'))
  t.is(v.state, 'destroyed')
  t.deepEqual([...store.keys()], ['w'])
})

test('naming an object by the name it has changes nothing', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  store.set('v', v)
  t.is(v.name, 'v')
  t.is(v.get(0), 1)
  t.deepEqual([...store.keys()], ['v'])
})

test('the store is the same after every refusal', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  store.syncNow()
  const before = fs.readFileSync(store.path)
  const nonsense = [
    undefined,
    null,
    -1,
    0.5,
    NaN,
    '',
    'x',
    {},
    [],
    Symbol('x'),
    () => 0,
    1n,
    new Date(NaN),
    /x/,
  ]
  const methods = {
    store: ['vector', 'from', 'get', 'getVector', 'has', 'set', 'allocate'],
    vector: ['get', 'set', 'write', 'readInto', 'fill', 'advise', 'keep', 'destroy', 'equals'],
  }
  // Twice over all methods with all pairs of nonsense: whatever is thrown has a code. What a method accepts (a name 'x' that
  // is looked up, a fill by 1) is undone below.
  let strange = ''
  for (const [receiver, names] of Object.entries(methods)) {
    for (const name of names) {
      for (const a of nonsense) {
        for (const b of nonsense) {
          const on = receiver === 'store' ? store : v
          if (name === 'destroy' && (a === undefined || (typeof a === 'object' && a !== null))) continue
          try {
            on[name](a, b)
          } catch (error) {
            if (!isFmallocError(error))
              strange += `${receiver}.${name}(${typeof a} ${String(a)}, ${typeof b} ${String(b)}): ${error}\n`
          }
        }
      }
    }
  }
  t.is(strange, '')
  t.is(v.state, 'committed')
  t.true(store.verify().ok)
  t.true(before.length > 0)
})

test('iterating or reading nonsense of a vector never throws anything but a coded error', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  const nonsense = [undefined, null, -1, 0.5, NaN, Infinity, '', 'x', {}, [], Symbol('x'), () => 0, 1n]
  let strange = ''
  for (const name of ['at', 'slice', 'subarray', 'windows', 'copy']) {
    for (const a of nonsense) {
      for (const b of nonsense) {
        try {
          v[name](a, b)
        } catch (error) {
          if (!isFmallocError(error)) strange += `${name}(${typeof a} ${String(a)}, ${typeof b}): ${error}\n`
        }
      }
    }
  }
  t.is(strange, '')
})

// ---- options and warnings

test.serial(
  'fmallocOptions returns the previous values; a bad one warns when it is set and falls back',
  t => {
    const before = fmallocOptions()
    t.deepEqual(fmallocOptions({ oocTileMb: 128 }), before)
    t.is(fmallocOptions().oocTileMb, 128)
    const { warnings } = captureWarnings(() => fmallocOptions({ reduceResultLength: -5 }))
    t.is(warnings.length, 1)
    t.is(warnings[0].code, 'bad-option')
    t.is(fmallocOptions().reduceResultLength, before.reduceResultLength)
    fmallocOptions(before)
    t.deepEqual(fmallocOptions(), before)
  },
)

test('captureWarnings collects across await, nests, and keeps the value', async t => {
  const store = freshStore(t)
  const bad = () => store.vector('integer', Float64Array.of(1e10))
  const sync = captureWarnings(() => bad().get(0))
  t.is(sync.value, null)
  t.deepEqual(
    sync.warnings.map(({ code }) => code),
    ['integer-range'],
  )
  t.is(typeof sync.warnings[0].message, 'string')
  t.is(typeof sync.warnings[0].operation, 'string')
  const later = await captureWarnings(async () => {
    await null
    bad()
    const inner = captureWarnings(bad)
    t.is(inner.warnings.length, 1)
    return 5
  })
  t.is(later.value, 5)
  t.is(later.warnings.length, 1)
  t.deepEqual(
    captureWarnings(() => 1),
    { value: 1, warnings: [] },
  )
  t.throws(
    () =>
      captureWarnings(() => {
        throw new RangeError('through')
      }),
    { instanceOf: RangeError },
  )
})

test('one warning per call, however many elements', t => {
  const store = freshStore(t)
  const { warnings } = captureWarnings(() => store.vector('raw', Float64Array.of(300, -5, 999)))
  t.deepEqual(
    warnings.map(({ code }) => code),
    ['raw-range'],
  )
})

test.serial('an uncaptured warning is emitted through the process, with its code', async t => {
  const store = freshStore(t)
  const emitted = new Promise(resolve => {
    const listen = warning => {
      if (warning.code !== 'integer-range' && !String(warning.code).includes('integer-range')) return
      process.off('warning', listen)
      resolve(warning)
    }
    process.on('warning', listen)
  })
  store.vector('integer', Float64Array.of(1e10))
  t.is((await emitted).message.length > 0, true)
})

// ---- plain mapped files

test('createMmapVector maps a headerless file and never resizes it', t => {
  const file = fileWith(t, Buffer.from(Int32Array.of(1, 2, -2147483648).buffer), 'ints.bin')
  const v = createMmapVector(file)
  t.is(v.store, null)
  t.is(v.type, 'integer')
  t.deepEqual(v.toArray(), [1, 2, null])
  v.set(0, 9)
  t.is(v.view()[0], 9)
  t.is(v.ref === undefined, false)
  t.true(v.destroy())
  refuses(t, () => v.get(0), ['DESTROYED', 'CLOSED'])
  t.true(fs.readFileSync(file).equals(Buffer.from(Int32Array.of(9, 2, -2147483648).buffer)), 'the file stays')
})

test('createMmapVector: length, type and readOnly', t => {
  const file = fileWith(t, Buffer.from(Float64Array.of(1.5, 2.5).buffer), 'doubles.bin')
  const two = createMmapVector(file, 2, { type: 'numeric' })
  t.deepEqual(two.toArray(), [1.5, 2.5])
  refuses(t, () => createMmapVector(file, 1, { type: 'numeric' }), 'LENGTH')
  const ro = createMmapVector(file, null, { type: 'numeric', readOnly: true })
  refuses(t, () => ro.set(0, 1), 'READ_ONLY')
  ro.view()[0] = 77
  t.is(two.get(0), 1.5, 'a stray write stays private')
  for (const v of [two, ro]) v.destroy()
  t.is(fs.statSync(file).size, 16)
})

test('createMmapVector refuses what does not fit and creates nothing', t => {
  const file = fileWith(t, Buffer.alloc(10), 'ten.bin')
  refuses(t, () => createMmapVector(file), 'LENGTH')
  refuses(t, () => createMmapVector(file, 3), ['LENGTH', 'TRUNCATED', 'OUT_OF_BOUNDS'])
  refuses(t, () => createMmapVector(file, -1), ['ARGUMENT', 'LENGTH'])
  refuses(t, () => createMmapVector(file, 1, { type: 'list' }), ['TYPE', 'UNSUPPORTED', 'ARGUMENT'])
  refuses(t, () => createMmapVector(`${file}.no`), 'NOT_FOUND')
  refuses(t, () => createMmapVector(''), 'ARGUMENT')
  refuses(t, () => createMmapVector(undefined), 'ARGUMENT')
  t.false(fs.existsSync(`${file}.no`))
  t.is(fs.statSync(file).size, 10)
})

test('createMmapVector of an empty file is an empty vector', t => {
  const v = createMmapVector(fileWith(t, '', 'empty.bin'))
  t.is(v.length, 0)
  t.is(v.view().length, 0)
  v.destroy()
})
