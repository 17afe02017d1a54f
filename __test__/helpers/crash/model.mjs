// What must be in the store after a kill, derived from what was there before and from the logs of the threads: every acknowledged act done,
// and per thread at most one act in flight, which may be done or not done.

import fs from 'node:fs'
import { bytesOf, content, TYPES } from '../bytes.mjs'
import { filling } from './acts.mjs'
import { isRich, replayRich } from './rich-check.mjs'

/** The events of one log. The last line may be torn by the kill; then it never counted. */
export function readLog(file) {
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : ['']
  lines.pop()
  return lines.map(line => JSON.parse(line))
}

/**
 * objects: generation → { thread, name, type, length, bytes, ref, loser, sealed }; shared: name → { bytes, type, generation }; highest: the highest
 * generation ever seen in the file; dead: refs of some objects that were destroyed; rich, strays: see rich-check.mjs.
 */
export function emptyModel() {
  return {
    objects: new Map(),
    shared: new Map(),
    extras: 0,
    highest: 0,
    dead: [],
    rich: new Map(),
    strays: new Set(),
  }
}

export function cloneModel(model) {
  const objects = new Map()
  for (const [generation, entry] of model.objects) objects.set(generation, { ...entry })
  const { extras, highest, dead } = model
  const rich = new Map([...model.rich].map(([generation, entry]) => [generation, { ...entry }]))
  const strays = new Set(model.strays)
  return { objects, shared: new Map(model.shared), extras, highest, dead: [...dead], rich, strays }
}

const specBytes = e => Buffer.from(bytesOf(content(e.type, e.length, e.seed)))

export const inPlace = event => ['fill', 'set', 'write'].includes(event.act)

/** The bytes of an entry after a fill, a set or a write; the entry's own bytes stay as they are. */
export function written(entry, event) {
  const bytes = Buffer.from(entry.bytes)
  const { width } = TYPES[entry.type]
  if (event.act === 'fill') {
    const { bits } = filling(entry.type, event.by)
    if (bytes.length > 0) bytes.fill(bytesOf(bits))
  } else if (event.act === 'set') bytesOf(filling(entry.type, event.by).bits).copy(bytes, event.start * width)
  else bytesOf(content(entry.type, event.length, event.by)).copy(bytes, event.start * width)
  return bytes
}

/** What an act that makes an object makes. `objects` are those before it. */
export function made(objects, event, thread) {
  if (event.act === 'copy') {
    const from = objects.get(event.from)
    return { thread, name: event.name, type: from.type, length: from.length, bytes: from.bytes, ref: null }
  }
  return {
    thread,
    name: event.name,
    type: event.type,
    length: event.length,
    bytes: specBytes(event),
    ref: null,
  }
}

/**
 * Applies what `thread` acknowledged to `model`. Returns the act in flight (or null), the shared replacements it acknowledged, and the
 * count of acknowledged acts; errors the thread met go to `problems`. `before`: the model before the round; `born`: the generations of the
 * round, of all threads.
 */
export function replay({ model, before, born, thread, events, problems }) {
  const { objects } = model
  const shared = []
  const died = generation => {
    const { ref } = objects.get(generation)
    if (ref !== null) model.dead.push(ref)
    objects.delete(generation)
  }
  let flying = null
  let done = 0
  for (const event of events) {
    if (event.error !== undefined) {
      problems.push(`thread ${thread} met an error: ${event.error}`)
      flying = null
      continue
    }
    if (event.b !== undefined) {
      flying = event
      continue
    }
    const act = flying
    flying = null
    done++
    if (event.refused) continue
    if (event.generation !== undefined) {
      if (event.generation <= before.highest || born.has(event.generation))
        problems.push(`thread ${thread}: generation ${event.generation} recurs`)
      born.add(event.generation)
      model.highest = Math.max(model.highest, event.generation)
    }
    if (isRich(act)) replayRich(model, act, event)
    else if (act.act === 'create' || act.act === 'copy' || act.act === 'replace') {
      const entry = made(objects, act, thread)
      if (act.act === 'replace') died(act.old)
      objects.set(event.generation, { ...entry, ref: event.ref })
    } else if (act.act === 'shared')
      shared.push({ ...made(objects, act, thread), generation: event.generation })
    else if (act.act === 'seal') objects.get(act.generation).sealed = true
    else if (act.act === 'name') objects.get(act.generation).name = act.name
    else if (act.act === 'steal') {
      objects.get(act.generation).name = act.name
      died(act.old)
    } else if (act.act === 'destroy') died(act.generation)
    else if (inPlace(act)) {
      const entry = objects.get(act.generation)
      entry.bytes = written(entry, act)
    }
  }
  return { flying, shared, done }
}
