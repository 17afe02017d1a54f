// kill -9 at any instant: every act that had returned is there byte for byte, and the one act a thread was in is there whole or
// not at all. RFMALLOC_KILLS=n kills n times (default 200); RFMALLOC_SEED=s starts from that seed, which a failure prints.

import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { check } from './helpers/crash/check.mjs'
import { emptyModel } from './helpers/crash/model.mjs'
import { killAndCheck, killOne } from './helpers/crash/round.mjs'
import { freshPath } from './helpers/files.mjs'

const KILLS = Number(process.env.RFMALLOC_KILLS ?? 200)
const SEED = Number(process.env.RFMALLOC_SEED ?? Math.floor(Math.random() * 2 ** 28))
const PER_FILE = 25 // rounds on one file before a fresh one

test.serial('kill -9 loses nothing acknowledged and leaves nothing half done', async t => {
  let done = 0
  let flying = 0
  let file
  let model
  for (let n = 0; n < KILLS; n++) {
    t.timeout(120_000)
    if (n % PER_FILE === 0) {
      file = freshPath(t)
      model = emptyModel()
    }
    const seed = SEED + n
    const round = await killAndCheck({ file, model, seed })
    if (round.problems.length > 0) {
      const first = SEED + n - (n % PER_FILE)
      t.log(
        `RFMALLOC_SEED=${first} RFMALLOC_KILLS=${(n % PER_FILE) + 1} runs these rounds again (the instants of the kills differ)`,
      )
      t.fail(
        `kill ${n + 1} (seed ${seed}, ${round.threads} threads, read-only ${round.readOnly}):\n${round.problems.join('\n')}`,
      )
      return
    }
    model = round.after
    done += round.done
    flying += round.flying
    t.pass()
  }
  t.log(`${KILLS} kills, ${done} acts acknowledged, ${flying} killed in the act`)
  t.true(done > 0, 'no act was ever acknowledged: the loop has tested nothing')
})

// The check must see what it is there for. One honest log of 60 acts, and then each fault planted into a copy of file or log.

async function honest(t) {
  const file = freshPath(t)
  const model = emptyModel()
  const { logs, problems } = await killOne({ file, model, seed: 7, threads: 1, limit: 60 })
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
  t.is(problems.length, 1)
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

function rowsOf(file) {
  const store = openFmalloc(file, { readOnly: true })
  const rows = store.allocations().filter(({ state }) => state === 'committed')
  store.close()
  return rows
}
