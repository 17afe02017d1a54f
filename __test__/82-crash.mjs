// Death at any instant, mostly by kill -9, sometimes in the middle of a close or of an end of the process's own (helpers/crash/deaths.mjs):
// every act that had returned is there byte for byte, and the one act a thread was in is there whole or not at all.
// RFMALLOC_KILLS=n dies n times (default 200); RFMALLOC_SEED=s starts from that seed, which a failure prints. The same loop at night:
// node scripts/kill.mjs.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { check } from './helpers/crash/check.mjs'
import { dieOften } from './helpers/crash/loop.mjs'
import { emptyModel } from './helpers/crash/model.mjs'
import { dieOnce } from './helpers/crash/round.mjs'
import { crc32c } from './helpers/crc32c.mjs'
import { fastRoot, freshPath } from './helpers/files.mjs'
import { SLOT_BYTES, SLOTS_AT, STATE_BYTES, STATES_AT } from './helpers/format.mjs'

const KILLS = Number(process.env.RFMALLOC_KILLS ?? 200)
const SEED = Number(process.env.RFMALLOC_SEED ?? Math.floor(Math.random() * 2 ** 28))

test.serial('death at any instant loses nothing acknowledged and leaves nothing half done', async t => {
  const { kills, done, flying, ends, failure } = await dieOften({
    kills: KILLS,
    seed: SEED,
    perFile: 25,
    roots: [os.tmpdir(), fastRoot()],
    afterEach: () => t.timeout(120_000),
  })
  if (failure !== null) {
    const { seed, kills: rounds } = failure.again
    t.log(`RFMALLOC_SEED=${seed} RFMALLOC_KILLS=${rounds} runs these rounds again (the instants differ)`)
    t.log(`the file and the logs are in ${failure.folder}`)
    t.fail(failure.text)
    return
  }
  t.log(`${kills} deaths, ${done} acts acknowledged, ${flying} died in the act; ${JSON.stringify(ends)}`)
  t.true(done > 0, 'no act was ever acknowledged: the loop has tested nothing')
})

// The check must see what it is there for. One honest log of 60 acts, and then each fault planted into a copy of file or log.

async function honest(t, more, seed = 7) {
  const file = freshPath(t)
  const model = emptyModel()
  const death = { how: 'limit', acts: 60, ended: ['SIGKILL'], ...more }
  const { logs, problems } = await dieOnce({ file, model, seed, threads: 1, death })
  t.deepEqual(problems, [])
  return { file, logs, before: model }
}

function copyOf(t, { file, logs }) {
  const to = freshPath(t)
  fs.copyFileSync(file, to)
  const log = path.join(path.dirname(to), 'log-0')
  fs.copyFileSync(logs[0], log)
  return { file: to, logs: [log] }
}

test.serial('the check passes an honest log, writable and read-only', async t => {
  const base = await honest(t)
  for (const readOnly of [true, false]) {
    const { problems, done } = check({ ...copyOf(t, base), before: base.before, readOnly })
    t.deepEqual(problems, [])
    t.is(done, 60)
  }
})

test.serial('the check reports a forged acknowledgement', async t => {
  const base = await honest(t)
  const forged = copyOf(t, base)
  const announced = { b: 60, act: 'create', name: 't0-forged', type: 'integer', length: 10, seed: 1 }
  fs.appendFileSync(
    forged.logs[0],
    `${JSON.stringify(announced)}\n${JSON.stringify({ a: 60, generation: 4_000_000_000, ref: null })}\n`,
  )
  const { problems } = check({ ...forged, before: base.before, readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], /^lost: .*t0-forged/)
})

test.serial('the check reports an act that was done but never announced', async t => {
  const base = await honest(t)
  const forged = copyOf(t, base)
  const store = openFmalloc(forged.file)
  store.vector('integer', [1, 2, 3], { name: 't0-stowaway' })
  store.close()
  const { problems } = check({ ...forged, before: base.before, readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], /unaccounted .*t0-stowaway/)
})

test.serial('the check reports an acknowledged destruction that did not happen', async t => {
  const base = await honest(t)
  const forged = copyOf(t, base)
  const row = rowsOf(forged.file).find(({ name }) => name?.startsWith('t0-'))
  fs.appendFileSync(
    forged.logs[0],
    `${JSON.stringify({ b: 60, act: 'destroy', generation: row.generation })}\n{"a":60}\n`,
  )
  const { problems } = check({ ...forged, before: base.before, readOnly: true })
  t.is(problems.length, 2, 'the object, and the ref of it that still opens')
  t.regex(problems[0], /unaccounted /)
})

test.serial('the check reports one flipped byte of a payload', async t => {
  const base = await honest(t)
  const flipped = copyOf(t, base)
  const row = rowsOf(flipped.file).find(
    ({ name, payloadNbytes }) => name?.startsWith('t0-') && payloadNbytes > 0,
  )
  const fd = fs.openSync(flipped.file, 'r+')
  const at = row.payloadOffset + Math.floor(row.payloadNbytes / 2)
  const byte = Buffer.alloc(1)
  fs.readSync(fd, byte, 0, 1, at)
  byte[0] ^= 0x10
  fs.writeSync(fd, byte, 0, 1, at)
  fs.closeSync(fd)
  const { problems } = check({ ...flipped, before: base.before, readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], new RegExp(`^generation ${row.generation} .*holds other bytes`))
})

test.serial('the check reports an act in flight that is half there', async t => {
  // An announced creation without acknowledgement may be there, but not with other contents than announced.
  const base = await honest(t)
  const half = copyOf(t, base)
  const store = openFmalloc(half.file)
  store.vector('integer', 1000, { name: 't0-half' })
  store.close()
  const announced = { b: 60, act: 'create', name: 't0-half', type: 'integer', length: 1000, seed: 5 }
  fs.appendFileSync(half.logs[0], `${JSON.stringify(announced)}\n`)
  const { problems } = check({ ...half, before: base.before, readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], /half there: .*t0-half/)
})

for (const [lie, what] of [
  ['fill', /holds other bytes/],
  ['rename', / is called /],
  ['destroyNamed', /unaccounted /],
]) {
  test.serial(`the check reports a process that acknowledges a ${lie} before it has done it`, async t => {
    // With this seed what is filled is no empty vector.
    const base = await honest(t, { lie }, 11)
    const { problems } = check({ ...copyOf(t, base), before: base.before, readOnly: true })
    t.is(problems.length, lie === 'destroyNamed' ? 2 : 1) // the ref of the destroyed one still opens
    t.regex(problems[0], what)
  })
}

for (const [kind, change] of [
  ['list', list => list.set([...list].findIndex(Boolean), null)],
  ['vector', text => text.setNames(text.toArray())],
  ['dataFrame', frame => frame.column('number').fill(-1)],
]) {
  test.serial(`the check reports a ${kind} with parts that are not its own`, async t => {
    const changed = copyOf(t, await honest(t, { rich: 45 }, 11))
    const store = openFmalloc(changed.file)
    const found = [...store.entries()].filter(([name, x]) => name.startsWith('r0-') && x.kind === kind)
    const [name, x] = found.find(([, x]) =>
      kind === 'list' ? [...x].some(Boolean) : x.length !== 0 && x.nrow !== 0,
    )
    change(x)
    store.close()
    const { problems } = check({ ...changed, before: emptyModel(), readOnly: true })
    t.is(problems.length, 1)
    t.regex(problems[0], new RegExp(`\\(${name}, .*holds other contents or parts`))
  })
}

test.serial('the check reports a column without its frame', async t => {
  const base = copyOf(t, await honest(t))
  const store = openFmalloc(base.file)
  store.vector('numeric', [1, 2])
  store.close()
  const { problems } = check({ ...base, before: emptyModel(), readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], /unaccounted /)
})

test.serial('the check reports a payload that has lost one byte, the rest moved up', async t => {
  const base = await honest(t)
  const short = copyOf(t, base)
  const row = rowsOf(short.file).find(
    ({ name, payloadNbytes }) => name?.startsWith('t0-') && payloadNbytes > 9,
  )
  const bytes = fs.readFileSync(short.file)
  bytes.copyWithin(row.payloadOffset + 3, row.payloadOffset + 4, row.payloadOffset + row.payloadNbytes)
  fs.writeFileSync(short.file, bytes)
  const { problems } = check({ ...short, before: base.before, readOnly: true })
  t.is(problems.length, 1)
  t.regex(problems[0], new RegExp(`^generation ${row.generation} .*holds other bytes`))
})

test.serial('the check reports a destroyed object that is alive again', async t => {
  const base = await honest(t)
  const risen = copyOf(t, base)
  const store = openFmalloc(risen.file)
  store.syncNow()
  // Not the last one in the file, whose space goes at close.
  const rows = store.allocations().filter(row => row.name?.startsWith('t0-') && row.payloadNbytes > 0)
  const row = rows.reduce((a, b) => (a.payloadOffset < b.payloadOffset ? a : b))
  store.delete(row.name)
  store.close()
  fs.appendFileSync(
    risen.logs[0],
    `${JSON.stringify({ b: 60, act: 'destroy', generation: row.generation })}\n{"a":60}\n`,
  )
  const buried = check({ ...risen, before: base.before, readOnly: true })
  t.deepEqual(buried.problems, [])
  const bytes = fs.readFileSync(risen.file)
  const index = (row.recordOffset - SLOTS_AT) / SLOT_BYTES
  const word = bytes.subarray(STATES_AT + index * STATE_BYTES).subarray(0, STATE_BYTES)
  t.is(word[0] & 7, 3, 'the word says DEAD')
  word[0] = (word[0] & ~7) | 2
  const over = Buffer.alloc(12)
  word.copy(over, 0, 0, 7)
  over.writeUInt32LE(index, 8)
  const sum = crc32c(over)
  word[7] = (sum ^ (sum >>> 8) ^ (sum >>> 16) ^ (sum >>> 24)) & 255
  fs.writeFileSync(risen.file, bytes)
  const { problems } = check({ ...risen, before: base.before, readOnly: true })
  t.is(problems.length, 2)
  t.regex(problems[0], /unaccounted /)
  t.regex(problems[1], new RegExp(`ref of generation ${row.generation}, which was destroyed: returned`))
})

test.serial('the check reports an identifier that is given twice', async t => {
  const base = await honest(t)
  const twice = copyOf(t, base)
  const row = rowsOf(twice.file).find(({ name }) => name?.startsWith('t0-'))
  const lines = [{ b: 60, act: 'destroy', generation: row.generation }, { a: 60 }]
  lines.push({ b: 61, act: 'create', name: 't0-again', type: 'raw', length: 0, seed: 1 })
  lines.push({ a: 61, generation: row.generation, ref: null })
  fs.appendFileSync(twice.logs[0], lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  const { problems } = check({ ...twice, before: base.before, readOnly: true })
  t.true(problems.includes(`thread 0: generation ${row.generation} recurs`))
})

function rowsOf(file) {
  const store = openFmalloc(file, { readOnly: true })
  const rows = store.allocations().filter(({ state }) => state === 'committed')
  store.close()
  return rows
}
