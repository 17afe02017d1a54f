// Compares a store after a kill with what must be in it. Every byte is read twice: through the API, and straight from the file at the
// offset the catalog gives, so that neither can cover for the other.

import fs from 'node:fs'
import { openFmalloc, openRef } from '../../../dist/index.js'
import { bytesOf } from '../bytes.mjs'
import { codeOf } from '../waiting.mjs'
import { SHARED } from './acts.mjs'
import { cloneModel, inPlace, made, readLog, replay, written } from './model.mjs'
import { checkRich, isRich } from './rich-check.mjs'

const WORD = { logical: 4, integer: 4, numeric: 8, complex: 8, raw: 1 } // what the machine stores in one piece

/** Whether each machine word of `now` is the one of `old` or the one of `next`. */
function wordwise(now, old, next, word) {
  if (now.length !== old.length) return false
  for (let i = 0; i < now.length; i += word) {
    const piece = now.subarray(i, i + word)
    if (!piece.equals(old.subarray(i, i + word)) && !piece.equals(next.subarray(i, i + word))) return false
  }
  return true
}

/**
 * Opens `file` (read-only or writable) and checks it. `before`: the model before the round; `logs`: one file per thread.
 * Returns { problems, after, done, flying }: `after` is the model with the acts in flight decided as the store shows them.
 */
export function check({ file, before, logs, readOnly }) {
  const problems = []
  const model = cloneModel(before)
  const events = logs.map(log => readLog(log))
  const born = new Set()
  const ends = events.map((list, thread) => replay({ model, before, born, thread, events: list, problems }))
  const flying = ends.map(end => end.flying).filter(act => act !== null)
  const result = {
    problems,
    after: model,
    done: ends.reduce((sum, end) => sum + end.done, 0),
    flying: flying.length,
  }

  // What the acts in flight allow.
  const gone = new Set()
  const names = new Map()
  const patches = new Map()
  const births = []
  const steals = new Map()
  const sealing = new Set()
  ends.forEach(({ flying: act }, thread) => {
    if (act === null || isRich(act)) return
    if (act.act === 'destroy') gone.add(act.generation)
    if (act.act === 'seal') sealing.add(act.generation)
    if (act.act === 'name') names.set(act.generation, act.name)
    if (act.act === 'steal') {
      names.set(act.generation, act.name)
      steals.set(act.old, act)
    }
    if (inPlace(act)) patches.set(act.generation, written(model.objects.get(act.generation), act))
    if (['create', 'copy', 'replace'].includes(act.act))
      births.push({ entry: made(model.objects, act, thread), old: act.old, born: false })
  })

  // Killed before it had made the file.
  if (!fs.existsSync(file) && before.highest === 0 && result.done === 0) return result

  const stores = []
  const fd = fs.openSync(file, 'r')
  try {
    const store = openFmalloc(file, { readOnly })
    stores.push(store)
    const report = store.verify({ payloads: true })
    if (!report.ok) problems.push(`verify: ${JSON.stringify(report.faults.slice(0, 5))}`)

    const rows = store.allocations().filter(row => row.state === 'committed')
    const raw = row => {
      const bytes = Buffer.alloc(row.payloadNbytes)
      if (row.payloadNbytes > 0) fs.readSync(fd, bytes, 0, bytes.length, row.payloadOffset)
      return bytes
    }
    const looksLike = (row, entry) =>
      row.type === entry.type && row.length === entry.length && raw(row).equals(entry.bytes)
    const seen = new Map()
    for (const row of rows) {
      if (seen.has(row.generation)) problems.push(`generation ${row.generation} is there twice`)
      seen.set(row.generation, row)
    }
    const byGeneration = new Map(seen)

    // Through the API: a named object by its name, an unnamed one by its ref.
    const keys = [...store.keys()]
    if (new Set(keys).size !== keys.length) problems.push(`a name is there twice: ${keys}`)
    if (store.size !== keys.length) problems.push(`size is ${store.size}, keys are ${keys.length}`)
    const byApi = (row, ref) => {
      let v
      const entry = model.objects.get(row.generation)
      const sealed = entry?.sealed ?? false
      if (row.name !== null) v = store.getVector(row.name)
      else if (ref !== null) {
        v = openRef(ref, { path: file, readOnly })
        stores.push(v.store)
      } else return
      if (v.ref.generation !== row.generation)
        problems.push(`${row.name} is generation ${v.ref.generation}, not ${row.generation}`)
      else if (v.type !== row.type || v.length !== row.length)
        problems.push(`${row.name}: ${v} is not what the catalog says`)
      else if (v.sealed !== sealed && !sealing.has(row.generation))
        problems.push(`${row.name} is ${v.sealed ? 'sealed' : 'not sealed'}`)
      else if (!bytesOf(v.toTypedArray()).equals(raw(row)))
        problems.push(`${row.name}: the API reads other bytes than the file holds`)
      return v
    }

    // Objects that were there before or were acknowledged.
    for (const [generation, entry] of model.objects) {
      const what = `generation ${generation} (${entry.name ?? 'unnamed'}, ${entry.type} [${entry.length}])`
      const row = seen.get(generation)
      seen.delete(generation)
      const birth = births.find(({ old }) => old === generation)
      const thief = steals.get(generation)
      if (thief !== undefined && byGeneration.get(thief.generation)?.name === thief.name) entry.loser = true
      if (row === undefined) {
        if (birth !== undefined) birth.needed = what
        else if (!gone.has(generation) && !entry.loser) problems.push(`lost: ${what}`)
        model.objects.delete(generation)
        continue
      }
      if (entry.loser) continue
      if (row.name !== entry.name && (row.name === null || row.name !== names.get(generation)))
        problems.push(`${what} is called ${row.name}`)
      if (row.type !== entry.type || row.length !== entry.length)
        problems.push(`${what} has become ${row.type} [${row.length}]`)
      const now = raw(row)
      const patch = patches.get(generation)
      const right =
        patch === undefined ? now.equals(entry.bytes) : wordwise(now, entry.bytes, patch, WORD[entry.type])
      if (!right) problems.push(`${what} holds other bytes`)
      entry.name = row.name
      entry.bytes = now
      if (birth === undefined) {
        const v = byApi(row, entry.ref)
        if (v !== undefined) entry.sealed = v.sealed
      }
    }

    checkRich({ store, model, seen, flying: flying.filter(isRich), problems })

    // Objects in flight: whole, or not there.
    const sharedRows = new Map(SHARED.map(name => [name, []]))
    for (const row of seen.values()) {
      if (sharedRows.has(row.name)) {
        sharedRows.get(row.name).push(row)
        continue
      }
      const birth = births.find(b => !b.born && b.entry.name === row.name && looksLike(row, b.entry))
      if (birth === undefined) {
        problems.push(`unaccounted or half there: ${JSON.stringify(row)}`)
        continue
      }
      birth.born = true
      byApi(row, null)
      const old = model.objects.get(birth.old)
      if (old !== undefined) old.loser = true
      model.objects.set(row.generation, birth.entry)
    }
    for (const { needed, born } of births)
      if (needed !== undefined && !born) problems.push(`a replacement in flight lost both: ${needed}`)
    for (const { old, born } of births)
      if (old !== undefined && !born && model.objects.has(old)) byApi(store2row(rows, old), null)

    for (const { generation } of rows) model.highest = Math.max(model.highest, generation)

    // What was destroyed stays away.
    model.dead = model.dead.slice(-10)
    for (const ref of model.dead) {
      const code = codeOf(() => stores.push(openRef(ref, { path: file, readOnly }).store))
      if (code !== 'ERR_FMALLOC_STALE_REF')
        problems.push(`the ref of generation ${ref.generation}, which was destroyed: ${code}`)
    }

    // Shared names: one of the candidates, whole.
    const present = new Set(rows.filter(row => row.name !== null).map(row => row.name))
    for (const name of SHARED) {
      const base = model.shared.get(name)
      const acked = ends.flatMap(end => end.shared.filter(entry => entry.name === name))
      const inAir = flying
        .filter(act => act.act === 'shared' && act.name === name)
        .map(act => made(model.objects, act, 0))
      const here = sharedRows.get(name)
      if (here.length === 0) {
        if (base !== undefined || acked.length > 0) problems.push(`lost: ${name}`)
        continue
      }
      model.extras += inAir.length
      if (here.length > 1 + model.extras) problems.push(`${name} is there ${here.length} times`)
      const winner = here.reduce((a, b) => (a.generation > b.generation ? a : b))
      const candidates = [...acked, ...inAir, ...(acked.length === 0 && base !== undefined ? [base] : [])]
      if (!candidates.some(entry => looksLike(winner, entry)))
        problems.push(`${name} is none of its ${candidates.length} candidates`)
      byApi(winner, null)
      model.shared.set(name, { name, type: winner.type, length: winner.length, bytes: raw(winner) })
    }
    for (const name of present)
      if (!keys.includes(name)) problems.push(`${name} is in the catalog, not among the keys`)
    for (const name of keys) if (!present.has(name)) problems.push(`${name} is a key, not in the catalog`)
  } catch (error) {
    problems.push(`${error?.code} ${error?.stack}`)
  } finally {
    for (const store of stores) store.close()
    fs.closeSync(fd)
  }
  return result
}

function store2row(rows, generation) {
  return rows.find(row => row.generation === generation)
}
