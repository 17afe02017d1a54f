// serializeFmalloc of everything a store holds: by reference where the store keeps it, by value where it does not; and bytes that are not
// what they say, which must be refused with a code, never believed and never a crash.

import test from 'ava'
import { openFmalloc, serializeFmalloc, unserializeFmalloc } from '../dist/index.js'
import { random } from './helpers/bytes.mjs'
import { start } from './helpers/child.mjs'
import { freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** A list with one of everything; some objects stand in several places. */
function everything(store) {
  const age = store.vector('integer', [34, null, 51], {
    names: ['x', null, 'a name of more than twelve bytes'],
  })
  const X = store.matrix('numeric', [2, 2], { values: [1, NaN, null, -0], dimnames: [['r1', 'r2'], null] })
  const A = store.array('raw', [1, 2, 1], {
    values: new Uint8Array([1, 255]),
    dimnames: [null, ['p', 'q'], null],
  })
  const z = store.vector('complex', [{ re: 1, im: -2 }, null]).setAttribute('unit', { of: ['V', null] })
  const text = store.vector('character', ['', null, 'NA', 'twelve bytes', 'thirteen byte', '😀 €ä\0\n'])
  const df = store.dataFrame(
    { age, who: ['a', null, 'c'], ok: [true, false, null] },
    { rowNames: ['first', 'second', 'a row whose name is long'] },
  )
  const inner = store.list([age, null, store.list([])], { names: ['age', null, 'age'] })
  return store.list({
    age,
    X,
    A,
    z,
    text,
    df,
    inner,
    none: null,
    again: inner,
    flags: store.vector('logical', 0),
  })
}

/** What can be compared of an object, whatever store it is in. */
function described(x) {
  if (x === null) return null
  const names = x.names?.toArray() ?? null
  if (x.kind === 'list') return { kind: 'list', names, items: Array.from(x, described) }
  if (x.kind === 'dataFrame') {
    const columns = Object.entries(x.columns).map(([name, column]) => [name, described(column)])
    return { kind: x.kind, columns, rowNames: x.rowNames?.toArray() ?? null, nrow: x.nrow }
  }
  const bits = x.type === 'character' ? x.toArray() : [...new Uint8Array(x.toTypedArray().buffer)]
  const dimnames = x.dimnames?.map(along => along?.toArray() ?? null) ?? null
  return { kind: x.kind, type: x.type, dim: x.dim, names, dimnames, bits, unit: x.getAttribute('unit') }
}

test('7.8 decided: restoring a list by reference gives the list itself, no new record', t => {
  const store = freshStore(t)
  const list = store.list([store.vector('integer', [1])])
  const { length } = store.allocations()
  t.is(unserializeFmalloc(serializeFmalloc(list)), list)
  t.is(store.allocations().length, length)
})

test('7.7 a persistent list, frame or matrix travels by reference, and a temporary is committed for it', t => {
  const store = freshStore(t)
  const list = everything(store)
  const bytes = serializeFmalloc(list)
  t.true(bytes.length < 1000)
  t.is(unserializeFmalloc(bytes), list)
  for (const x of [list.get('df'), list.get('X'), list.get('inner')])
    t.is(unserializeFmalloc(serializeFmalloc(x)), x)
  const pick = list.get('df').pick('who')
  t.is(pick.state, 'temporary')
  const blob = serializeFmalloc(pick)
  t.is(pick.state, 'committed')
  t.is(unserializeFmalloc(blob), pick)
})

test('7.12 a list travels to another process by reference, whole', async t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const list = everything(store).keep('list')
  const json = JSON.stringify(list)
  const bytes = serializeFmalloc(list)
  store.close()
  const { code, value } = await start(
    t,
    ({ fm, args }) => {
      const list = fm.unserializeFmalloc(Uint8Array.from(args.bytes))
      return {
        json: JSON.stringify(list),
        rowNames: list.get('df').rowNames.toArray(),
        dim: list.get('X').dim,
      }
    },
    { bytes: [...bytes] },
  ).ended
  t.is(code, 0)
  t.deepEqual(value, { json, rowNames: ['first', 'second', 'a row whose name is long'], dim: [2, 2] })
})

test('7.10 what a scratch store holds travels by value, with names, shapes, attributes and nested lists', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const list = everything(store)
  const bytes = serializeFmalloc(list)
  const before = described(list)
  store.close()
  const back = unserializeFmalloc(bytes)
  t.deepEqual(described(back), before)
  t.is(back.state, 'temporary')
  // What stood in two places is one object again.
  t.is(back.get('inner'), back.get('again'))
  t.is(back.get('df').column('age'), back.get('age'))
  // From any offset.
  const shifted = new Uint8Array(bytes.length + 1)
  shifted.set(bytes, 1)
  t.deepEqual(described(unserializeFmalloc(shifted.subarray(1))), before)
})

test('7.9 names, shapes and row names come with a reference, since the file has them', t => {
  const path = freshPath(t)
  const store = openFmalloc(path)
  const list = everything(store)
  const [bytes, before] = [serializeFmalloc(list), described(list)]
  store.close()
  open(t, path, { readOnly: true })
  t.deepEqual(described(unserializeFmalloc(bytes)), before)
})

test('single objects, parts of vectors and empty ones go by value', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const list = everything(store)
  const v = list.get('age').subarray(1)
  const text = list.get('text')
  for (const x of [...list]
    .filter(x => x !== null)
    .concat(v, text.subarray(3, 5), text.subarray(6), store.list(0)))
    t.deepEqual(described(unserializeFmalloc(serializeFmalloc(x))), described(x))
  t.deepEqual(unserializeFmalloc(serializeFmalloc(v)).names.toArray(), [
    null,
    'a name of more than twelve bytes',
  ])
  t.is(unserializeFmalloc(serializeFmalloc(store.dataFrame({}, { rowNames: ['x'] }))).nrow, 1)
})

/** Written once for each place, a list of lists of lists would be 2^64 vectors. */
test('a list that holds one list twice, sixty-four deep, is written once', t => {
  const store = freshStore(t, { mode: 'scratch' })
  let list = store.list([store.vector('integer', [1]), null])
  for (let k = 1; k < 64; k++) list = store.list([list, list])
  const bytes = serializeFmalloc(list)
  t.true(bytes.length < 20_000)
  let back = unserializeFmalloc(bytes)
  for (let k = 1; k < 64; k++) {
    t.is(back.get(0), back.get(1))
    back = back.get(0)
  }
  t.is(back.get(0).get(0), 1)
})

test('lists nested ten thousand deep go by value without exhausting the stack', t => {
  const store = freshStore(t, { mode: 'scratch' })
  let list = store.list(0)
  for (let k = 1; k < 10_000; k++) list = store.list([list])
  let back = unserializeFmalloc(serializeFmalloc(list))
  let depth = 1
  while (back.length > 0) {
    back = back.get(0)
    depth++
  }
  t.is(depth, 10_000)
})

test('7.4 a reference to what is gone, or is another object, is refused', t => {
  const store = freshStore(t)
  const list = store.list([null], { name: 'l' })
  const df = store.dataFrame({ a: [1] })
  const blobs = [list, df].map(serializeFmalloc)
  list.destroy()
  df.destroy()
  for (const blob of blobs) refuses(t, () => unserializeFmalloc(blob), 'STALE_REF')
  refuses(t, () => serializeFmalloc(list), 'DESTROYED')
  refuses(t, () => serializeFmalloc(df), 'DESTROYED')
  for (const x of [null, 1, [], {}, store]) refuses(t, () => serializeFmalloc(x), 'ARGUMENT')
  t.deepEqual(open(t, store.path).get('l'), undefined)
})

const CODES = [
  'ARGUMENT',
  'CORRUPT',
  'TRUNCATED',
  'LENGTH',
  'DIM',
  'TYPE',
  'VALUE',
  'ENCODING',
  'TOO_LARGE',
  'NO_SPACE',
  'CYCLE',
]

/** Bytes of a header that says this, with so many payload bytes. */
function forged(header, nbytes) {
  const json = Buffer.from(JSON.stringify(header))
  const payload = Math.ceil((12 + json.length) / 16) * 16
  const bytes = Buffer.alloc(payload + nbytes)
  bytes.write('RFMSER1\n', 'latin1')
  bytes.writeUInt32LE(json.length, 8)
  json.copy(bytes, 12)
  return bytes
}

test('headers that contradict themselves are refused', t => {
  const v = { kind: 'vector', type: 'integer', length: 1, nbytes: 4 }
  const l = { kind: 'labels', length: 1, nbytes: 5 }
  const bad = (nodes, nbytes) =>
    refuses(t, () => unserializeFmalloc(forged({ by: 'value', nodes }, nbytes)), CODES)
  for (const nodes of [null, [], [null], [1], 'x', {}, [{}], [{ kind: 'list' }], [{ kind: 'vector' }]])
    bad(nodes, 0)
  bad([l], 5)
  bad([{ kind: 'list', cells: [0] }], 0)
  bad([{ kind: 'list', cells: [1] }, v], 4)
  bad([{ kind: 'list', cells: [-1] }], 0)
  bad([{ kind: 'list', cells: [0.5] }], 0)
  bad([l, { kind: 'list', cells: [0] }], 5)
  bad([v, { kind: 'list', cells: [null], names: 0 }], 4)
  bad([v, { kind: 'dataFrame', columns: [0] }], 4)
  bad([v, l, { kind: 'dataFrame', columns: [0, 0], names: 1 }], 21)
  bad([v, l, { kind: 'dataFrame', columns: [0], names: 1, rowNames: 0 }], 21)
  bad([{ ...v, length: 2 }], 4)
  bad([{ ...v, nbytes: 8 }], 8)
  bad([{ ...v, type: 'list' }], 8)
  bad([{ ...v, type: 'nonsense' }], 4)
  bad([{ ...v, length: 2 ** 60 }], 4)
  bad([{ ...v, type: 'character', nbytes: 4 }], 3)
  bad([{ ...v, type: 'character', nbytes: 5 }], 5)
  bad([{ ...v, kind: 'matrix', dim: [1] }], 4)
  bad([{ ...v, kind: 'matrix', dim: [2, 2] }], 4)
  bad([{ ...v, kind: 'matrix' }], 4)
  bad([{ ...v, kind: 'array', dim: [] }], 4)
  bad([{ ...v, names: 0 }], 4)
  bad([{ ...v, dimnames: 3 }], 4)
  bad([{ ...v, user: [['a']] }], 4)
  bad([{ ...v, user: [['', '1']] }], 4)
  bad([v], 5)
  bad([v], 3)
  t.is(unserializeFmalloc(forged({ by: 'value', nodes: [v] }, 4)).get(0), 0)
})

test('no flipped bit, cut or mixture of a value gives anything but an error or an object that can be read', t => {
  const store = freshStore(t, { mode: 'scratch' })
  const bytes = serializeFmalloc(everything(store))
  const { below } = random(5)
  let objects = 0
  for (let k = 0; k < 3000; k++) {
    const bent = Buffer.from(bytes)
    for (let n = 0; n <= below(3); n++) bent[12 + below(bent.length - 12)] ^= 1 << below(8)
    const given = below(4) === 0 ? bent.subarray(0, below(bent.length)) : bent
    try {
      described(unserializeFmalloc(given))
      objects++
    } catch (e) {
      if (!CODES.some(code => e?.code === `ERR_FMALLOC_${code}`)) t.fail(`${k}: ${e?.stack}`)
    }
  }
  t.true(objects > 0)
})
