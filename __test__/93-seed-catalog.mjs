// The catalog as R's functions show it: listFmallocAllocations (rows 6.1 to 6.9) and diagnoseFmallocRuntime (rows 6.20 to 6.24).

import fs from 'node:fs'
import test from 'ava'
import {
  cleanupFmalloc,
  createFmallocVector,
  destroyFmallocVector,
  diagnoseFmallocRuntime,
  initFmalloc,
  listFmallocAllocations,
  openFmalloc,
} from '../dist/index.js'
import { random } from './helpers/bytes.mjs'
import { inChild } from './helpers/child.mjs'
import { fileWith, freshPath, freshStore, open } from './helpers/files.mjs'
import * as format from './helpers/format.mjs'
import { refuses } from './helpers/refuses.mjs'

test("6.1 one row per record, newest first, with R's columns", t => {
  const store = freshStore(t)
  for (let i = 1; i <= 3; i++) store.vector('numeric', i, { name: `v${i}` })
  createFmallocVector('raw', 9, store)
  const rows = listFmallocAllocations(store)
  t.deepEqual(
    rows.map(({ length, type, name }) => [length, type, name]),
    [
      [9, 'raw', null],
      [3, 'numeric', 'v3'],
      [2, 'numeric', 'v2'],
      [1, 'numeric', 'v1'],
    ],
  )
  t.deepEqual(Object.keys(rows[0]).sort(), [
    'flags',
    'generation',
    'length',
    'name',
    'payloadNbytes',
    'payloadOffset',
    'recordOffset',
    'recoverable',
    'state',
    'type',
  ])
  t.deepEqual(
    rows.map(({ payloadNbytes }) => payloadNbytes),
    [9, 24, 16, 8],
  )
  t.deepEqual(rows, store.allocations())
})

test('6.2 decided: a record is committed or a tombstone; nothing half made is ever listed', t => {
  const store = freshStore(t)
  store.vector('integer', 1, { name: 'a' })
  store.vector('integer', 1, { name: 'b' })
  store.syncNow()
  store.delete('a')
  t.deepEqual(
    listFmallocAllocations(store)
      .map(({ state, name }) => [state, name])
      .sort(),
    [
      ['committed', 'b'],
      // The name is free for the next object.
      ['tombstone', null],
    ],
  )
})

test("6.3 decided: generations are unique, rise and are never used again (not by one: they come from the store's one sequence); offsets are above 0", t => {
  const file = freshPath(t)
  const seen = []
  for (let round = 0; round < 5; round++) {
    const store = open(t, file)
    for (let i = 0; i < 20; i++) {
      const v = createFmallocVector('integer', 5, store)
      seen.push(v.ref.generation)
      const [row] = listFmallocAllocations(store)
      t.is(row.generation, v.ref.generation)
      t.true(row.recordOffset > 0 && row.payloadOffset > 0)
      t.true(row.payloadOffset + row.payloadNbytes <= fs.statSync(file).size)
      if (i % 2 === 0) destroyFmallocVector(v)
    }
    if (round % 2 === 0) store.syncNow()
    store.close()
  }
  t.deepEqual(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  )
})

test('6.3 the offset is where the bytes are in the file', t => {
  const store = freshStore(t)
  store.vector('raw', [11, 22, 33])
  const [{ payloadOffset }] = listFmallocAllocations(store)
  store.close()
  t.deepEqual([...fs.readFileSync(store.path).subarray(payloadOffset, payloadOffset + 3)], [11, 22, 33])
})

test('6.4 flags: 1 is recoverable; strings and containers come later', t => {
  const store = freshStore(t)
  for (const type of ['logical', 'integer', 'numeric', 'complex', 'raw']) createFmallocVector(type, 1, store)
  t.deepEqual(
    listFmallocAllocations(store).map(({ flags, recoverable }) => [flags, recoverable]),
    Array(5).fill([1, true]),
  )
})

test('6.5 a fresh file has no rows, a scratch store has none of its own', t => {
  t.deepEqual(listFmallocAllocations(freshStore(t)), [])
  const scratch = freshStore(t, { mode: 'scratch' })
  createFmallocVector('integer', 5, scratch)
  scratch.vector('integer', 5, { name: 'v' })
  t.deepEqual(listFmallocAllocations(scratch), [])
})

test('6.6 vectors whose handle is gone stay listed', async t => {
  const count = await inChild(
    t,
    async ({ fm, args, collect }) => {
      const store = fm.openFmalloc(args.file)
      for (let i = 0; i < 10; i++) fm.createFmallocVector('integer', 5, store)
      await collect()
      return fm.listFmallocAllocations(store).length
    },
    { file: freshPath(t) },
  )
  t.is(count, 10)
})

test('an uncommitted result has no row (decided)', t => {
  const store = freshStore(t)
  const copy = store.vector('integer', [1]).copy()
  t.is(listFmallocAllocations(store).length, 1)
  copy.keep()
  t.is(listFmallocAllocations(store).length, 2)
})

test('6.7 a corrupt catalog: a clean error or a list, never a crash', async t => {
  const store = freshStore(t)
  for (let i = 0; i < 50; i++) store.vector('integer', [i], { name: `v${i}` })
  store.close()
  const bytes = fs.readFileSync(store.path)
  const file = fileWith(t, bytes)
  const rng = random(3)
  const wounds = Array.from({ length: 300 }, () => [
    format.SEGMENT_AT + rng.below(format.SEGMENT_END - format.SEGMENT_AT),
    rng.bits(),
  ])
  const strange = await inChild(
    t,
    ({ fm, args, fs }) => {
      const strange = []
      const pristine = fs.readFileSync(args.file)
      for (const [at, value] of args.wounds) {
        const bytes = Buffer.from(pristine)
        bytes.writeUInt32LE(value, at)
        fs.writeFileSync(args.file, bytes)
        try {
          const store = fm.openFmalloc(args.file, { readOnly: true })
          try {
            const rows = fm.listFmallocAllocations(store)
            if (!rows.every(({ payloadOffset, payloadNbytes }) => payloadOffset >= 0 && payloadNbytes >= 0))
              strange.push(`a row out of the file at ${at}`)
            fm.diagnoseFmallocRuntime(store)
          } finally {
            store.close()
          }
        } catch (error) {
          if (!fm.isFmallocError(error)) strange.push(`${at}: ${error.stack}`)
        }
      }
      return strange
    },
    { file, wounds },
  )
  t.deepEqual(strange, [])
})

test('6.8 a hundred thousand records are listed', t => {
  // How fast is the benchmark's matter; here, that none is missing and the order holds.
  const store = freshStore(t)
  for (let i = 0; i < 100_000; i++) store.vector('logical', 1)
  const rows = listFmallocAllocations(store)
  t.is(rows.length, 100_000)
  let rising = true
  for (let i = 1; i < rows.length; i++) rising &&= rows[i].generation < rows[i - 1].generation
  t.true(rising)
})

test('6.9 a closed runtime is refused', t => {
  const store = freshStore(t)
  store.close()
  refuses(t, () => listFmallocAllocations(store), 'CLOSED')
  refuses(t, () => diagnoseFmallocRuntime(store), 'CLOSED')
})

test.serial('without a runtime the default is taken; there must be one', t => {
  refuses(t, () => listFmallocAllocations(), 'NOT_INITIALIZED')
  refuses(t, () => diagnoseFmallocRuntime(null), 'NOT_INITIALIZED')
  initFmalloc(freshPath(t))
  createFmallocVector('integer', 1)
  t.is(listFmallocAllocations().length, 1)
  t.is(diagnoseFmallocRuntime().summary.recordCount, 1)
  cleanupFmalloc()
})

test('6.20 diagnosis has three parts', t => {
  const store = freshStore(t)
  createFmallocVector('integer', 1, store)
  const diagnosis = diagnoseFmallocRuntime(store)
  t.deepEqual(Object.keys(diagnosis).sort(), ['catalog', 'runtime', 'summary'])
  t.deepEqual(diagnosis.catalog, listFmallocAllocations(store))
  t.deepEqual(diagnosis, store.diagnose())
})

test('6.21 the runtime part', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 1, store)
  const w = createFmallocVector('integer', 1, store)
  const { runtime } = diagnoseFmallocRuntime(store)
  t.like(runtime, {
    filepath: store.path,
    uuid: store.uuid,
    mode: 'persistent',
    closeRequested: false,
    liveVectors: 2,
    catalogCount: 2,
    runtimeOpen: true,
  })
  t.true(runtime.mappedBytes >= fs.statSync(store.path).size)
  t.true(runtime.catalogHeadOffset > 0)
  for (const key of ['externalRefs', 'catalogEpoch']) t.true(Number.isSafeInteger(runtime[key]), key)
  destroyFmallocVector(w)
  t.is(diagnoseFmallocRuntime(store).runtime.liveVectors, 1)
  t.is(v.get(0), 0)
})

test('6.22 the summary part', t => {
  const store = freshStore(t)
  createFmallocVector('numeric', 10, store)
  createFmallocVector('raw', 7, store)
  const { summary } = diagnoseFmallocRuntime(store)
  t.like(summary, {
    recordCount: 2,
    committedRecords: 2,
    tombstonedRecords: 0,
    unknownRecords: 0,
    recoverableRecords: 2,
    nonrecoverableActiveRecords: 0,
    activePayloadBytes: 87,
    tombstonedPayloadBytes: 0,
    compactionImplemented: true,
  })
  t.is(typeof summary.committedPayloadGapsBytes, 'number')
  t.is(typeof summary.potentiallyReclaimablePayloadBytes, 'number')
  t.is(typeof summary.compactionNote, 'string')
})

test('6.23 reclaimable is tombstoned bytes and the gaps between committed payloads; no gap with fewer than two', t => {
  const store = freshStore(t)
  const summary = () => diagnoseFmallocRuntime(store).summary
  const vectors = Array.from({ length: 5 }, () => createFmallocVector('raw', 6400, store))
  t.is(
    summary().potentiallyReclaimablePayloadBytes,
    summary().tombstonedPayloadBytes + summary().committedPayloadGapsBytes,
  )
  store.syncNow()
  for (const i of [1, 2, 3]) destroyFmallocVector(vectors[i])
  t.is(summary().tombstonedPayloadBytes, 3 * 6400)
  t.true(summary().committedPayloadGapsBytes >= 3 * 6400)
  t.is(
    summary().potentiallyReclaimablePayloadBytes,
    summary().tombstonedPayloadBytes + summary().committedPayloadGapsBytes,
  )
  destroyFmallocVector(vectors[4])
  t.is(summary().committedPayloadGapsBytes, 0)
  t.is(diagnoseFmallocRuntime(freshStore(t)).summary.committedPayloadGapsBytes, 0)
})

test('6.24 destroying one vector moves exactly one from committed to tombstoned (decided: if it had been synced), scratch: zeros', t => {
  // A record that no sync has seen leaves no tombstone: nothing on the disk could bring it back. So sync first.
  const store = freshStore(t)
  const vectors = Array.from({ length: 4 }, () => createFmallocVector('integer', 10, store))
  store.syncNow()
  const counts = () => {
    const { committedRecords, tombstonedRecords } = diagnoseFmallocRuntime(store).summary
    return [committedRecords, tombstonedRecords]
  }
  t.deepEqual(counts(), [4, 0])
  destroyFmallocVector(vectors[0])
  t.deepEqual(counts(), [3, 1])
  destroyFmallocVector(vectors[1], true)
  t.is(counts()[0], 2)
  const unsynced = createFmallocVector('integer', 10, store)
  const [, tombstoned] = counts()
  destroyFmallocVector(unsynced)
  t.deepEqual(counts(), [2, tombstoned])

  const scratch = freshStore(t, { mode: 'scratch' })
  destroyFmallocVector(createFmallocVector('integer', 10, scratch))
  t.like(diagnoseFmallocRuntime(scratch).summary, {
    recordCount: 0,
    committedRecords: 0,
    tombstonedRecords: 0,
    activePayloadBytes: 0,
    tombstonedPayloadBytes: 0,
  })
})

test('a tombstone goes with the sync that makes its space reusable, or at the next opening', t => {
  const store = freshStore(t)
  const v = createFmallocVector('integer', 10, store)
  store.syncNow()
  destroyFmallocVector(v)
  t.is(listFmallocAllocations(store).length, 1)
  store.close()
  const again = openFmalloc(store.path)
  t.is(listFmallocAllocations(again).filter(({ state }) => state === 'committed').length, 0)
  again.close()
})
