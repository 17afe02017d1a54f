// References: the small serialisable name of a vector, as an object (ref, openRef) and as bytes (serializeFmalloc). A reference that does
// not fit is refused with nothing opened and nothing created. Rows 7.1 to 7.5 and 7.10 to 7.12.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { cleanupFmalloc, openFmalloc, openRef, serializeFmalloc, unserializeFmalloc } from '../dist/index.js'
import { content, random, sameBits, TYPES } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { fileWith, freshDirectory, freshPath, freshStore, open } from './helpers/files.mjs'
import { refuses } from './helpers/refuses.mjs'

/** Opens what a reference names and closes its store with the test. */
function follow(t, ref, options) {
  const v = openRef(ref, options)
  t.teardown(() => v.store.close())
  return v
}

function restore(t, bytes, options) {
  const v = unserializeFmalloc(bytes, options)
  t.teardown(() => v.store?.close())
  return v
}

/** Whether this process holds the file open: it could not be opened in the other mode then. */
function isOpen(file) {
  try {
    openFmalloc(file, { readOnly: true }).close()
    openFmalloc(file, { create: false }).close()
    return false
  } catch (error) {
    if (error.code === 'ERR_FMALLOC_MODE') return true
    throw error
  }
}

function closedStore(t, make = store => store.vector('integer', [1, 2, 3], { name: 'v' })) {
  const store = freshStore(t)
  const { ref } = make(store)
  store.close()
  return { file: store.path, ref, uuid: store.uuid }
}

// ---- the object

test('a ref is plain, frozen, clonable and safe in JSON', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const { ref } = v
  t.true(Object.isFrozen(ref))
  t.is(Object.getPrototypeOf(ref), Object.prototype)
  t.deepEqual(structuredClone(ref), { ...ref })
  t.deepEqual(JSON.parse(JSON.stringify(ref)), { ...ref })
  const { id, generation, ...facts } = ref
  t.deepEqual(facts, {
    uuid: store.uuid,
    path: store.path,
    temporary: false,
    kind: 'vector',
    type: 'integer',
    length: 3,
    dim: null,
    start: 0,
  })
  t.true(Number.isSafeInteger(id) && Number.isSafeInteger(generation))
})

test('reading a ref changes nothing: a temporary stays one', t => {
  const store = freshStore(t)
  const copy = store.vector('integer', [1]).copy()
  t.true(copy.ref.temporary)
  t.is(copy.state, 'temporary')
  t.is(store.allocations().length, 1)
  copy.keep()
  t.false(copy.ref.temporary)
})

test('a ref of an open store gives the same bytes', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3])
  const again = follow(t, v.ref)
  again.set(0, 9)
  t.is(v.get(0), 9)
})

test('a ref that went through JSON opens', t => {
  const v = freshStore(t).vector('numeric', [1.5])
  t.is(follow(t, JSON.parse(JSON.stringify(v.ref))).get(0), 1.5)
})

test('a ref of a closed file opens it writable, as R does', t => {
  const { file, ref } = closedStore(t)
  const v = follow(t, ref)
  v.set(0, 9)
  t.false(v.store.readOnly)
  t.is(v.store.path, file)
  v.store.close()
  t.is(open(t, file).getVector('v').get(0), 9)
})

test('readOnly and path may be given beside a ref', t => {
  const { file, ref } = closedStore(t)
  const moved = freshPath(t, 'moved.fm')
  fs.renameSync(file, moved)
  const v = follow(t, ref, { path: moved, readOnly: true })
  t.deepEqual(v.toArray(), [1, 2, 3])
  t.true(v.store.readOnly)
  t.false(fs.existsSync(file))
})

test('a path given beside a ref counts, even when the original is open: a copied file is another file', t => {
  const { file, ref } = closedStore(t)
  const copy = freshPath(t, 'copy.fm')
  fs.copyFileSync(file, copy)
  open(t, file).getVector('v').set(0, 100)
  t.deepEqual(follow(t, ref, { path: copy }).toArray(), [1, 2, 3])
  t.deepEqual(follow(t, ref).toArray(), [100, 2, 3])
})

test('a ref of a subarray opens the subarray', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [0, 1, 2, 3, 4], { name: 'v' })
  const part = follow(t, v.subarray(1, 4).ref)
  t.deepEqual(part.toArray(), [1, 2, 3])
  part.set(0, 10)
  t.is(v.get(1), 10)
})

test('a ref survives renaming, other vectors, sync and reopening', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1, 2, 3], { name: 'v' })
  const { ref } = v
  store.set('renamed', v)
  for (let i = 0; i < 100; i++) store.vector('integer', [i])
  store.syncNow()
  store.close()
  const again = follow(t, ref)
  t.deepEqual(again.toArray(), [1, 2, 3])
  t.is(again.name, 'renamed')
})

test('a ref of a temporary or a scratch vector works in this process and in no other', async t => {
  const store = freshStore(t)
  const copy = store.vector('integer', [1, 2, 3]).copy()
  const scratch = freshStore(t, { mode: 'scratch' })
  const loose = scratch.vector('integer', [4, 5])
  t.true(loose.ref.temporary)
  t.deepEqual(follow(t, copy.ref).toArray(), [1, 2, 3])
  t.deepEqual(follow(t, loose.ref).toArray(), [4, 5])
  const refs = [copy.ref, loose.ref]
  store.close()
  scratch.close()
  const codes = await inChild(
    t,
    ({ fm, args, codeOf }) => args.refs.map(ref => codeOf(() => fm.openRef(ref))),
    { refs },
  )
  t.deepEqual(codes, ['ERR_FMALLOC_STALE_REF', 'ERR_FMALLOC_STALE_REF'])
})

// ---- refused, with nothing opened and nothing created

test('a ref of a destroyed vector is stale, before and after reopening, also when its place is taken', t => {
  const store = freshStore(t)
  const { ref } = store.vector('integer', [1, 2, 3], { name: 'v' })
  store.syncNow()
  store.delete('v')
  refuses(t, () => openRef(ref), 'STALE_REF')
  store.syncNow()
  for (let i = 0; i < 2000; i++) store.vector('integer', [7, 7, 7])
  refuses(t, () => openRef(ref), 'STALE_REF')
  store.close()
  refuses(t, () => openRef(ref), 'STALE_REF')
  t.false(isOpen(store.path))
})

test('a ref of a replaced vector is stale: generations never recur', t => {
  const file = freshPath(t)
  const refs = []
  for (let round = 0; round < 20; round++) {
    const store = open(t, file)
    refs.push(store.vector('integer', [round], { name: 'v', replace: true }).ref)
    if (round % 3 === 0) store.syncNow()
    store.close()
  }
  const last = refs.pop()
  for (const ref of refs) refuses(t, () => openRef(ref), 'STALE_REF')
  t.is(follow(t, last).get(0), 19)
})

test('a ref to a missing file: NOT_FOUND, and no file is made', t => {
  const { file, ref } = closedStore(t)
  fs.rmSync(file)
  refuses(t, () => openRef(ref), 'NOT_FOUND')
  refuses(t, () => openRef(ref, { path: path.join(freshDirectory(t), 'no.fm') }), 'NOT_FOUND')
  t.false(fs.existsSync(file))
})

test("a ref to another store's file: refused, that store is not opened and not changed", t => {
  const { ref } = closedStore(t)
  const other = closedStore(t)
  const before = fs.readFileSync(other.file)
  refuses(t, () => openRef({ ...ref, path: other.file }), ['STALE_REF', 'OTHER_STORE'])
  refuses(t, () => openRef(ref, { path: other.file }), ['STALE_REF', 'OTHER_STORE'])
  t.false(isOpen(other.file))
  t.true(fs.readFileSync(other.file).equals(before))
})

test('a ref to a file that is no store: refused, the file stays as it was', t => {
  const { ref } = closedStore(t)
  const file = fileWith(t, 'a letter home\n'.repeat(100_000))
  refuses(t, () => openRef(ref, { path: file }), 'NOT_A_STORE')
  t.is(fs.statSync(file).size, 1_400_000)
})

test('forged refs: each field changed is refused, and the store is not left open', t => {
  const { file, ref } = closedStore(t)
  const forgeries = [
    { id: ref.id + 1 },
    { id: 2 ** 31 },
    { id: 2 ** 40 },
    { id: 2 ** 53 - 1 },
    { generation: ref.generation + 1 },
    { generation: 0 },
    { type: 'numeric' },
    { type: 'raw' },
    { length: 4 },
    { length: 2 ** 52 },
    { start: 1 },
    { start: 2 ** 52 },
    { uuid: '0'.repeat(32) },
    { temporary: true },
  ]
  for (const forgery of forgeries) {
    refuses(t, () => openRef({ ...ref, ...forgery }), [
      'STALE_REF',
      'OTHER_STORE',
      'ARGUMENT',
      'OUT_OF_BOUNDS',
      'TYPE',
    ])
    t.false(isOpen(file), JSON.stringify(forgery))
  }
})

test('forged refs of a subarray cannot reach beyond the vector', t => {
  const store = freshStore(t)
  const { ref } = store.vector('integer', [0, 1, 2, 3, 4]).subarray(1, 4)
  for (const forgery of [
    { start: 3 },
    { length: 5 },
    { start: -1 },
    { start: 0.5 },
    { length: -1 },
    { start: 2 ** 53 },
    { length: 2 ** 53 },
  ]) {
    refuses(t, () => openRef({ ...ref, ...forgery }), ['STALE_REF', 'ARGUMENT', 'OUT_OF_BOUNDS'])
  }
})

test('what is no ref at all is refused', t => {
  const { file, ref } = closedStore(t)
  const wrong = [
    undefined,
    null,
    1,
    'a.fm',
    [],
    {},
    new Map(),
    { ...ref, path: 7 },
    { ...ref, path: '' },
    { ...ref, id: -1 },
    { ...ref, id: '1' },
    { ...ref, uuid: 'x' },
    { ...ref, kind: 'cube' },
    { ...ref, generation: NaN },
    { ...ref, type: 'no' },
    { uuid: ref.uuid },
  ]
  for (const value of wrong)
    refuses(t, () => openRef(value), ['ARGUMENT', 'TYPE', 'STALE_REF', 'OTHER_STORE', 'NOT_FOUND'])
  t.false(isOpen(file))
})

test('a ref of a later kind says UNSUPPORTED or is refused', t => {
  const { ref } = closedStore(t)
  for (const forgery of [{ kind: 'list' }, { kind: 'dataFrame' }, { kind: 'matrix', dim: [1, 3] }]) {
    refuses(t, () => openRef({ ...ref, ...forgery }), ['UNSUPPORTED', 'STALE_REF', 'ARGUMENT', 'TYPE'])
  }
})

test('a ref with a getter that throws, or changes its answer, is refused or opens what it named first', t => {
  const store = freshStore(t)
  const { ref } = store.vector('integer', [1, 2, 3])
  const bomb = new RangeError('bomb')
  const error = t.throws(() =>
    openRef({
      ...ref,
      get length() {
        throw bomb
      },
    }),
  )
  t.true(error === bomb || error.code === 'ERR_FMALLOC_ARGUMENT')
  let asked = 0
  const shifty = {
    ...ref,
    get length() {
      return asked++ === 0 ? 3 : 2 ** 40
    },
  }
  try {
    t.true(follow(t, shifty).toArray().length <= 3)
  } catch (refusal) {
    t.regex(refusal.code, /^ERR_FMALLOC_/)
  }
})

// ---- the bytes

test('7.1 serialising by reference takes a few hundred bytes whatever the length', t => {
  const store = freshStore(t)
  const small = serializeFmalloc(store.vector('integer', 1))
  const large = serializeFmalloc(store.vector('numeric', 2 ** 21))
  t.true(small instanceof Uint8Array)
  t.true(large.length < 1000 + 2 * store.path.length, `${large.length} bytes`)
})

for (const type of Object.keys(TYPES)) {
  test(`7.2 restoring opens the file if it is not open and gives the same bytes: ${type}`, t => {
    const bits = content(type, 1000, 8)
    const store = freshStore(t)
    const blob = serializeFmalloc(store.vector(type, bits, { name: 'v' }))
    store.close()
    const v = restore(t, blob)
    t.is(v.type, type)
    t.true(sameBits(v.toTypedArray(), bits))
    t.is(v.store.mode, 'persistent')
    v.fill({ logical: true, complex: { re: 1, im: 1 } }[type] ?? 1)
    t.deepEqual(v.store.getVector('v').get(5), v.get(5))
  })
}

test('7.3 later writes are seen by a reference taken earlier', t => {
  const v = freshStore(t).vector('integer', [1, 2, 3])
  const blob = serializeFmalloc(v)
  v.set(0, 9)
  t.deepEqual(restore(t, blob).toArray(), [9, 2, 3])
})

test('serialising a temporary commits it', t => {
  const copy = freshStore(t).vector('integer', [1]).copy()
  serializeFmalloc(copy)
  t.is(copy.state, 'committed')
})

test('7.4 refused: file missing, without creating one', t => {
  const store = freshStore(t)
  const blob = serializeFmalloc(store.vector('integer', [1]))
  store.close()
  fs.rmSync(store.path)
  refuses(t, () => unserializeFmalloc(blob), 'NOT_FOUND')
  t.false(fs.existsSync(store.path))
})

test('7.4 refused: another UUID at the path', t => {
  const store = freshStore(t)
  const blob = serializeFmalloc(store.vector('integer', [1]))
  store.close()
  fs.rmSync(store.path)
  const other = open(t, store.path)
  other.vector('integer', [2])
  refuses(t, () => unserializeFmalloc(blob), ['STALE_REF', 'OTHER_STORE'])
})

test('7.4 refused: destroyed, and another generation in its place', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  const blob = serializeFmalloc(v)
  store.syncNow()
  v.destroy()
  refuses(t, () => unserializeFmalloc(blob), 'STALE_REF')
  store.syncNow()
  store.vector('integer', [2], { name: 'v' })
  refuses(t, () => unserializeFmalloc(blob), 'STALE_REF')
})

test('7.4 decided: a scratch store at the path of a persistent reference is refused', t => {
  const store = freshStore(t)
  const blob = serializeFmalloc(store.vector('integer', [1]))
  store.close()
  fs.rmSync(store.path)
  open(t, store.path, { mode: 'scratch' })
  refuses(t, () => unserializeFmalloc(blob), ['STALE_REF', 'OTHER_STORE', 'MODE'])
})

test('7.5 a refused restore leaves an open store as it was', t => {
  const store = freshStore(t)
  const v = store.vector('integer', [1], { name: 'v' })
  const w = store.vector('integer', [5], { name: 'w' })
  const blob = serializeFmalloc(v)
  v.destroy()
  const { liveVectors } = store.diagnose().runtime
  refuses(t, () => unserializeFmalloc(blob), 'STALE_REF')
  t.false(store.closed)
  t.is(w.get(0), 5)
  t.deepEqual([...store.keys()], ['w'])
  t.is(store.diagnose().runtime.liveVectors, liveVectors)
})

test('7.10 scratch: by value, restored without the file', t => {
  for (const type of Object.keys(TYPES)) {
    const bits = content(type, 500, 9)
    const store = freshStore(t, { mode: 'scratch' })
    const v = store.vector(type, bits)
    const blob = serializeFmalloc(v)
    t.true(blob.length >= bits.byteLength)
    store.close()
    fs.rmSync(store.path)
    const back = restore(t, blob)
    t.is(back.type, type)
    t.true(sameBits(back.toTypedArray(), bits), type)
    t.false(fs.existsSync(store.path))
  }
})

test('7.11 vectors of length 0 restore', t => {
  const store = freshStore(t)
  const blobs = Object.keys(TYPES).map(type => serializeFmalloc(store.vector(type, 0)))
  store.close()
  for (const [i, type] of Object.keys(TYPES).entries()) {
    const v = restore(t, blobs[i])
    t.deepEqual([v.type, v.length], [type, 0])
  }
})

test('7.12 works after the original handle was collected, after cleanup, and in another process', async t => {
  const store = freshStore(t)
  const blob = serializeFmalloc(store.vector('integer', [1, 2, 3]))
  cleanupFmalloc(store)
  t.deepEqual(restore(t, blob).toArray(), [1, 2, 3])
  store.close()
  const values = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const make = () => fm.serializeFmalloc(fm.openFmalloc(args.file).vector('integer', [4, 5]))
      const made = make()
      await collect()
      const here = fm.unserializeFmalloc(made).toArray()
      return { here, bytes: [...made] }
    },
    { file: freshPath(t) },
  )
  t.deepEqual(values.here, [4, 5])
  t.deepEqual(restore(t, Uint8Array.from(values.bytes)).toArray(), [4, 5])
})

test('hostile bytes: cut anywhere, each byte changed, noise: a coded error or a right answer, never a crash', async t => {
  const store = freshStore(t)
  const persistent = [...serializeFmalloc(store.vector('integer', [1, 2, 3], { name: 'v' }))]
  store.close()
  const scratch = freshStore(t, { mode: 'scratch' })
  const byValue = [...serializeFmalloc(scratch.vector('numeric', [1, 2, 3]))]
  scratch.close()
  const before = fs.readFileSync(store.path)
  const rng = random(11)
  const noise = Array.from({ length: 300 }, () =>
    Array.from({ length: rng.below(400) }, () => rng.below(256)),
  )
  const empty = freshDirectory(t)
  const bad = await inChild(
    t,
    ({ fm, args, fs }) => {
      process.chdir(args.empty)
      const problems = []
      const attempt = (bytes, what) => {
        try {
          const v = fm.unserializeFmalloc(Uint8Array.from(bytes))
          v.toArray()
          v.store?.close()
        } catch (error) {
          if (!fm.isFmallocError(error)) problems.push(`${what}: ${error.name} ${error.message}`)
        }
      }
      for (const [name, blob] of Object.entries(args.blobs)) {
        for (let n = 0; n < blob.length; n++) attempt(blob.slice(0, n), `${name} cut at ${n}`)
        for (let i = 0; i < blob.length; i++) {
          for (const mask of [1, 0x80, 0xff])
            attempt(
              blob.map((byte, j) => (j === i ? byte ^ mask : byte)),
              `${name} byte ${i} ^ ${mask}`,
            )
        }
        attempt([...blob, 0], `${name} with a byte more`)
      }
      for (const bytes of args.noise) attempt(bytes, 'noise')
      for (const value of [undefined, null, 'x', [], {}, 5, new Float64Array(3)]) {
        try {
          fm.unserializeFmalloc(value)
          problems.push(`took ${value}`)
        } catch (error) {
          if (!fm.isFmallocError(error)) problems.push(`${value}: ${error.name}`)
        }
      }
      return { problems, left: fs.readdirSync(args.empty) }
    },
    { blobs: { persistent, byValue }, noise, empty },
  )
  t.deepEqual(bad, { problems: [], left: [] })
  t.true(fs.readFileSync(store.path).equals(before), 'the file named in the bytes is as it was')
  t.deepEqual(fs.readdirSync(path.dirname(store.path)), ['store.fm'], 'and nothing was created beside it')
})
