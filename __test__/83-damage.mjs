// Damaged files: an error that says what and where, or correct data; never a crash, never a change to the file, never silence.
// RFMALLOC_DAMAGE=all damages one byte at a time and opens every damaged file both read-only and writable. By default most bytes of state
// words and slots are flipped in sixteen records at once, each of which must then read as it was or be named by verify().

import fs from 'node:fs'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { random } from './helpers/bytes.mjs'
import { damage, damagedVector, storeToDamage } from './helpers/damage.mjs'
import { fileWith, freshStore, open } from './helpers/files.mjs'
import * as format from './helpers/format.mjs'
import { refuses } from './helpers/refuses.mjs'

const ALL = process.env.RFMALLOC_DAMAGE === 'all'
const SEED = Number(process.env.RFMALLOC_SEED ?? 1)
const LONG = 900_000
const FLIPPED = 500 // vectors in the store whose bytes are flipped: they fill the first segment

const MASKS = [0x01, 0x80, 0xff, 0x10, 0x55, 0x02]

/** One flip of each byte in [from, to), with a mask chosen by the seed. */
function flips(from, to, near = () => undefined) {
  const rng = random(SEED ^ from)
  return Array.from({ length: to - from }, (_, i) => ['flip', from + i, rng.pick(MASKS), near(from + i)])
}

const TOGETHER = 16
const STEP = format.FIRST_SLOTS / TOGETHER

/** A flip of each byte of all first slots (or state words) from `from`, `size` bytes each: alone in one of STEP, else in sixteen at once. */
function flipsOfRecords(from, size) {
  const rng = random(SEED ^ from)
  const cases = []
  for (let byte = 0; byte < STEP * size; byte++) {
    const first = Math.floor(byte / size)
    const slots = Array.from({ length: TOGETHER }, (_, k) => first + k * STEP)
    const at = slots.map((_, k) => from + byte + k * STEP * size)
    const masks = at.map(() => rng.pick(MASKS))
    if (ALL || first === 0) cases.push(...at.map((where, k) => ['flip', where, masks[k], slots[k]]))
    else cases.push(['flip', at, masks, slots.filter(i => i < FLIPPED), rng.pick(['readOnly', 'writable'])])
  }
  return cases
}

test.serial('a store of 2000 vectors cut at every 4 KiB', async t => {
  t.timeout(LONG)
  const base = storeToDamage(t, 2000)
  const { size } = fs.statSync(base)
  const cases = []
  // Cut to nothing it is an empty file, which a writable open may make a store of (see 10-open).
  for (let at = 0; at < size; at += 4096)
    cases.push(['cut', at, 0, undefined, at === 0 ? 'readOnly' : undefined])
  const { problems, tally } = await damage(t, base, 2000, cases, { everything: true })
  t.log(`${cases.length} cuts, read-only and writable: ${JSON.stringify(tally)}`)
  t.deepEqual(problems, [])
  t.is(tally.opened + tally.refused, 2 * cases.length - 1)
})

test.serial('every byte of both superblocks flipped: the other copy serves, nothing is lost', async t => {
  t.timeout(LONG)
  const base = storeToDamage(t, FLIPPED)
  const cases = format.SUPERBLOCKS.flatMap(at =>
    flips(at, at + format.SUPERBLOCK_BYTES, byte => byte % FLIPPED),
  )
  const { problems, tally } = await damage(t, base, FLIPPED, cases)
  t.log(`${cases.length} cases: ${JSON.stringify(tally)}`)
  t.deepEqual(problems, [])
  t.is(tally.refused, 0, 'one copy of two is enough')
  t.is(tally.unreadable + tally.absent, 0)
})

test.serial('every byte of the header of the first catalog segment flipped', async t => {
  t.timeout(LONG)
  const base = storeToDamage(t, FLIPPED)
  const cases = flips(format.SEGMENT_AT, format.STATES_AT, byte => byte % FLIPPED)
  const { problems, tally } = await damage(t, base, FLIPPED, cases)
  t.log(`${cases.length} cases: ${JSON.stringify(tally)}`)
  t.deepEqual(problems, [])
})

test.serial('every byte of the state words of the first catalog segment flipped', async t => {
  t.timeout(LONG)
  const base = storeToDamage(t, FLIPPED)
  const cases = flipsOfRecords(format.STATES_AT, format.STATE_BYTES)
  const { problems, tally } = await damage(t, base, FLIPPED, cases)
  t.log(`${cases.length} cases: ${JSON.stringify(tally)}`)
  t.deepEqual(problems, [])
})

test.serial('every byte of the slots of the first catalog segment flipped', async t => {
  t.timeout(LONG)
  const base = storeToDamage(t, FLIPPED)
  const cases = flipsOfRecords(format.SLOTS_AT, format.SLOT_BYTES)
  const { problems, tally } = await damage(t, base, FLIPPED, cases)
  t.log(`${cases.length} cases: ${JSON.stringify(tally)}`)
  t.deepEqual(problems, [])
})

test.serial('bytes of payloads and attributes flipped anywhere: never a crash, never a change', async t => {
  // Payloads carry no checksum unless sealed, so their values may read wrong; everything else must hold.
  t.timeout(LONG)
  const base = storeToDamage(t, FLIPPED)
  const { size } = fs.statSync(base)
  const rng = random(SEED)
  const cases = Array.from({ length: 2000 }, () => [
    'flip',
    format.SEGMENT_END + rng.below(size - format.SEGMENT_END),
    1 + rng.below(255),
    0,
    rng.pick(['readOnly', 'writable']),
  ])
  const { problems } = await damage(t, base, FLIPPED, cases)
  t.deepEqual(
    problems.filter(problem => !/reads wrong/.test(problem)),
    [],
  )
})

test.serial('a whole page of the catalog zeroed is damage, not absence', async t => {
  const file = storeToDamage(t, FLIPPED)
  const bytes = fs.readFileSync(file)
  for (let page = format.SEGMENT_AT; page < format.SEGMENT_END; page += 4096) {
    const damaged = Buffer.from(bytes)
    damaged.fill(0, page, page + 4096)
    if (damaged.equals(bytes)) continue
    const target = fileWith(t, damaged)
    let lost = 0
    let unread = 0
    let ok = false
    try {
      const store = open(t, target, { readOnly: true })
      for (let i = 0; i < FLIPPED; i++) {
        try {
          store.getVector(damagedVector(i).name)
        } catch (error) {
          if (error.code === 'ERR_FMALLOC_NOT_FOUND') lost++
          else unread++
        }
      }
      ok = store.verify().ok
      store.close()
    } catch (error) {
      t.regex(error.code, /^ERR_FMALLOC_(CORRUPT|TRUNCATED|NOT_A_STORE)$/)
      continue
    }
    t.true(
      !ok || lost + unread === 0,
      `the page at ${page}: ${lost} vectors absent, ${unread} unreadable, and verify is content`,
    )
    t.true(fs.readFileSync(target).equals(damaged))
  }
})

test('a writable open refuses to build on a damaged catalog', t => {
  const store = freshStore(t)
  for (let i = 0; i < 10; i++) store.vector('integer', [i], { name: `v${i}` })
  store.close()
  const bytes = fs.readFileSync(store.path)
  bytes.fill(0, format.STATES_AT + 3 * format.STATE_BYTES, format.STATES_AT + 4 * format.STATE_BYTES)
  const file = fileWith(t, bytes)
  const refusal = () => {
    const damaged = open(t, file)
    try {
      damaged.vector('integer', [1], { name: 'new' })
    } finally {
      damaged.close()
    }
  }
  refuses(t, refusal, 'CORRUPT')
  t.true(fs.readFileSync(file).equals(bytes))
})

test('two records over the same bytes: verify names both, allocation is refused, reading goes on', t => {
  const store = freshStore(t)
  store.vector('integer', [1, 2, 3], { name: 'a' })
  store.vector('integer', [4, 5, 6], { name: 'b' })
  store.close()
  const bytes = fs.readFileSync(store.path)
  // The second record's payload becomes the first one's, with a right checksum.
  const payload = Buffer.alloc(16)
  format.rewriteBody(bytes, 0, body => void body.copy(payload, 0, 0, 16))
  format.rewriteBody(bytes, 1, body => void payload.copy(body))
  const file = fileWith(t, bytes)
  const damaged = open(t, file, { readOnly: true })
  const report = damaged.verify()
  t.false(report.ok)
  t.deepEqual(
    report.faults.map(({ where, offset }) => [where, typeof offset]),
    [['overlap', 'number']],
  )
  t.regex(report.faults[0].what, /record 0 .*record 1 |record 1 .*record 0 /)
  t.deepEqual(damaged.getVector('a').toArray(), [1, 2, 3])
  t.deepEqual(damaged.getVector('b').toArray(), [1, 2, 3])
  damaged.close()
  const writable = open(t, file)
  refuses(t, () => writable.vector('integer', [1]), 'CORRUPT', /record 0 .*record 1 |record 1 .*record 0 /)
  t.deepEqual(writable.getVector('a').toArray(), [1, 2, 3])
  writable.close()
  t.true(fs.readFileSync(file).equals(bytes))
})

test('a damaged record takes no other with it, and its bytes are not handed out: the file grows', t => {
  const store = freshStore(t)
  for (let i = 0; i < 100; i++) store.vector('integer', [i, i, i], { name: `v${i}` })
  store.close()
  const bytes = fs.readFileSync(store.path)
  bytes[format.SLOTS_AT + 7 * format.SLOT_BYTES + 40] ^= 1
  const file = fileWith(t, bytes)
  const damaged = open(t, file)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 100; i++) {
      if (i === 7) refuses(t, () => damaged.getVector('v7'), 'CORRUPT', /record 7/)
      else t.is(damaged.getVector(`v${i}`).get(1), i)
    }
  }
  t.deepEqual(
    damaged.verify().faults.map(({ where, id }) => [where, id]),
    [['record', 7]],
  )
  t.is(damaged.diagnose().summary.unknownRecords, 1)
  t.is(damaged.allocations().filter(({ state }) => state === 'unknown').length, 1)
  // Any name may be the damaged record's.
  refuses(t, () => damaged.keys(), 'CORRUPT')
  refuses(t, () => damaged.vector('integer', 3, { name: 'new' }), 'CORRUPT')
  const added = damaged.vector('integer', [1, 2, 3])
  const [row] = damaged.allocations()
  t.is(row.generation, added.ref.generation)
  t.true(row.payloadOffset >= bytes.length)
  damaged.close()
  t.true(
    fs
      .readFileSync(file)
      .subarray(format.SEGMENT_END, bytes.length)
      .equals(bytes.subarray(format.SEGMENT_END)),
  )
})

test('a newer version is refused as such, with both superblocks well formed, and stays as it was', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const pristine = fs.readFileSync(store.path)
  for (const version of [pristine.readUInt32LE(format.VERSION_AT) + 1, 0xffffffff, 0]) {
    const bytes = format.rewriteSuperblocks(
      Buffer.from(pristine),
      copy => void copy.writeUInt32LE(version, format.VERSION_AT),
    )
    for (const readOnly of [true, false]) {
      const file = fileWith(t, bytes)
      refuses(t, () => openFmalloc(file, { readOnly }), 'VERSION', new RegExp(String(version)))
      t.true(fs.readFileSync(file).equals(bytes))
    }
  }
})

test('rewriting the checksums alone leaves a good store good (the forging of the tests is right)', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const bytes = fs.readFileSync(store.path)
  const forged = format.rewriteSuperblocks(Buffer.from(bytes), () => {})
  t.true(forged.equals(bytes))
})

test('both superblocks damaged: refused with the place named, nothing changed', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const bytes = fs.readFileSync(store.path)
  for (const at of format.SUPERBLOCKS) bytes[at + 70] ^= 1
  for (const readOnly of [true, false]) {
    const file = fileWith(t, bytes)
    refuses(t, () => openFmalloc(file, { readOnly }), 'CORRUPT', /superblock/i)
    t.true(fs.readFileSync(file).equals(bytes))
  }
})

test('hostile superblocks with good checksums: sizes, counts and places beyond all bounds', t => {
  const store = freshStore(t)
  store.vector('integer', [1], { name: 'v' })
  store.close()
  const pristine = fs.readFileSync(store.path)
  const rng = random(SEED)
  for (let round = 0; round < 400; round++) {
    const at = 20 + 4 * rng.below(Math.floor((format.CHECKSUM_AT - 20) / 4))
    const value = rng.pick([0xffffffff, 0x7fffffff, 0, 1, 0x80000000, rng.bits()])
    const bytes = format.rewriteSuperblocks(Buffer.from(pristine), copy => void copy.writeUInt32LE(value, at))
    const file = fileWith(t, bytes)
    try {
      const hostile = openFmalloc(file, { readOnly: true })
      try {
        for (const [, v] of hostile.entries()) v.toArray()
        hostile.allocations()
        hostile.verify()
      } finally {
        hostile.close()
      }
    } catch (error) {
      if (!String(error.code).startsWith('ERR_FMALLOC_')) t.fail(`offset ${at} = ${value}: ${error.stack}`)
    }
    if (!fs.readFileSync(file).equals(bytes)) t.fail(`offset ${at} = ${value}: the file changed`)
  }
  t.pass()
})

for (const [what, bytes] of [
  ['one byte', Buffer.of(7)],
  ['a text', Buffer.from('hello\n')],
  ['eleven zeros', Buffer.alloc(11)],
  ['a page of zeros', Buffer.alloc(4096)],
  ['a megabyte of 0xff', Buffer.alloc(2 ** 20, 0xff)],
  ['a program', fs.readFileSync(process.execPath).subarray(0, 300_000)],
]) {
  test(`a foreign file is refused and stays as it was: ${what}`, t => {
    for (const readOnly of [true, false]) {
      const file = fileWith(t, bytes)
      refuses(t, () => openFmalloc(file, { readOnly }), ['NOT_A_STORE', 'TRUNCATED'])
      t.true(fs.readFileSync(file).equals(bytes))
    }
  })
}

test('a file of another kind (a device, a pipe) is refused', t => {
  for (const file of ['/dev/null', '/dev/zero']) {
    if (!fs.existsSync(file)) return t.pass('skipped: no devices here')
    refuses(t, () => openFmalloc(file), ['NOT_A_STORE', 'IO', 'ARGUMENT'])
    refuses(t, () => openFmalloc(file, { readOnly: true }), ['NOT_A_STORE', 'IO', 'ARGUMENT'])
  }
})
