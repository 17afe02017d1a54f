// The check of objects with parts after a kill: every acknowledged one whole with its parts, what was in flight there or not at all. Columns
// of a frame are committed before the frame and end after it: a death in between leaves them as objects of their own ("strays").

import { isDeepStrictEqual } from 'node:util'
import { richChanged, richContent, richLook } from './rich.mjs'

const COLUMN_TYPES = new Set(['numeric', 'character', 'logical'])

export const isRich = act => ['rich', 'endRich', 'relabel', 'retext'].includes(act.act)

/** Applies an acknowledged act to `model.rich`: generation → { name, content, ref }. */
export function replayRich(model, act, event) {
  const { rich } = model
  const died = generation => {
    model.dead.push(rich.get(generation).ref)
    rich.delete(generation)
  }
  if (act.act === 'endRich') died(act.generation)
  else if (act.act === 'rich') {
    if (act.old !== undefined) died(act.old)
    rich.set(event.generation, { name: act.name, content: richContent(act), ref: event.ref })
  } else {
    const entry = rich.get(act.generation)
    rich.set(act.generation, { ...entry, content: richChanged(entry.content, act) })
  }
}

/** Rows of the frames that were being made, or were about to end: how long their columns are. */
function rowsInFlight(model, flying) {
  const ending = flying.map(act => model.rich.get(act.old ?? act.generation)?.content.rowNames?.length)
  return new Set([...ending, ...flying.filter(act => act.kind === 'frame').map(act => act.length)])
}

/**
 * Compares `model.rich` with the store, and takes the rows that belong to it out of `seen` (generation → row). `flying`: the acts in
 * flight of this kind.
 */
export function checkRich({ store, model, seen, flying, problems }) {
  const look = (name, what) => {
    const { content, generations } = richLook(store.get(name))
    for (const generation of generations) {
      if (!seen.delete(generation)) problems.push(`${what} has column ${generation}, which is no object`)
    }
    return content
  }

  const lengths = rowsInFlight(model, flying)
  for (const [generation, entry] of model.rich) {
    const what = `generation ${generation} (${entry.name}, ${entry.content.kind})`
    const row = seen.get(generation)
    seen.delete(generation)
    const acts = flying.filter(act => act.generation === generation || act.old === generation)
    if (row === undefined) {
      const successor = acts.find(act => act.act === 'rich')
      const isThere = successor && [...seen.values()].some(({ name }) => name === successor.name)
      if (successor ? !isThere : !acts.some(act => act.act === 'endRich')) problems.push(`lost: ${what}`)
      model.rich.delete(generation)
      continue
    }
    if (row.name !== entry.name) {
      problems.push(`${what} is called ${row.name}`)
      continue
    }
    if (store.get(row.name).ref.generation !== generation) {
      // The name has gone to the one that replaces it, and its death is not written yet: the first change writes it.
      model.rich.delete(generation)
      model.strays.add(generation)
      if (!acts.some(act => act.act === 'rich')) problems.push(`${what}: its name finds another object`)
      continue
    }
    const now = look(row.name, what)
    const changes = acts.filter(act => act.at !== undefined)
    const allowed = [entry.content, ...changes.map(act => richChanged(entry.content, act))]
    if (!allowed.some(content => isDeepStrictEqual(content, now)))
      problems.push(`${what} holds other contents or parts`)
    entry.content = now
  }

  for (const generation of model.strays) seen.delete(generation)
  for (const row of [...seen.values()].filter(({ name }) => name?.startsWith('r'))) {
    seen.delete(row.generation)
    const act = flying.find(one => one.act === 'rich' && one.name === row.name)
    if (act === undefined || !isDeepStrictEqual(look(row.name, row.name), richContent(act))) {
      problems.push(`unaccounted or half there: ${JSON.stringify(row)}`)
      continue
    }
    const { ref } = store.get(row.name)
    model.rich.set(row.generation, { name: row.name, content: richContent(act), ref })
  }

  for (const row of [...seen.values()]) {
    if (row.name !== null || !COLUMN_TYPES.has(row.type) || !lengths.has(row.length)) continue
    model.strays.add(row.generation)
    seen.delete(row.generation)
  }
}
