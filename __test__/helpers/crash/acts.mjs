// What the process under the knife does: random acts on one store by one thread, each announced before it starts and acknowledged after it
// returned. Threads own their objects (names begin with the thread's number), so that the state left behind is determined up to the
// one act in flight per thread; a few shared names are replaced by every thread, to have threads meet.
//
// The log is written with fs.writeSync: what was acknowledged had returned, and the line is in the kernel, before the next act begins.

import fs from 'node:fs'
import { content, random, TYPES } from '../bytes.mjs'
import { richActs } from './rich.mjs'

export const SHARED = ['shared-0', 'shared-1', 'shared-2']
const MOST = 20 // objects kept per thread
const KINDS = Object.keys(TYPES)

/** One line per event. {b: n, …act} announces act n; {a: n, generation?, ref?} acknowledges it; {error} tells of one. */
export function logTo(file) {
  const fd = fs.openSync(file, 'a')
  return event => void fs.writeSync(fd, `${JSON.stringify(event)}\n`)
}

function lengthFrom(rng) {
  const die = rng.below(100)
  if (die < 3) return 0
  if (die < 80) return 1 + rng.below(600)
  if (die < 97) return 1 + rng.below(20_000)
  return 150_000 + rng.below(150_000)
}

/** An object whose own sync is running cannot be destroyed: then it is tried again. */
function patiently(perform) {
  for (const last = Date.now() + 30_000; ;) {
    try {
      return perform()
    } catch (error) {
      if (error?.code !== 'ERR_FMALLOC_BUSY' || Date.now() > last) throw error
    }
  }
}

/** A value that fills a vector of `type`, and the bits of one element of it. */
export function filling(type, seed) {
  const value = seed % 251
  if (type === 'logical') return { value: seed % 2 === 1, bits: Int32Array.of(seed % 2) }
  if (type === 'integer') return { value, bits: Int32Array.of(value) }
  if (type === 'numeric') return { value: value + 0.25, bits: Float64Array.of(value + 0.25) }
  if (type === 'complex') return { value: { re: value, im: -value }, bits: Float64Array.of(value, -value) }
  return { value, bits: Uint8Array.of(value) }
}

/**
 * One thread's actor. `open()` opens the store; `unnamed`: refs of this thread's unnamed objects from earlier rounds. Returns
 * { step, closeStore, openStore }: `step()` does one act, announced and acknowledged; a step with an act's kind does that one, and with
 * `lies` says so without doing it.
 */
export function actor({ fm, open, file, thread, seed, log, unnamed }) {
  const rng = random(seed * 8 + thread)
  const mine = `t${thread}-`
  const named = new Map()
  const nameless = []
  const rich = richActs({ rng, thread, seed })
  let store
  let refs = unnamed
  let n = 0
  let serial = 0
  const newName = () => `${mine}${seed}-${serial++}`

  function openStore() {
    store = open()
    named.clear()
    for (const name of store.keys()) if (name.startsWith(mine)) named.set(name, store.getVector(name))
    rich.reopened(store)
    nameless.splice(0, Infinity, ...refs.map(ref => fm.openRef(ref, { path: file })))
  }

  /** Closes this thread's handle; `before` runs when the closing has been announced. */
  function closeStore(before = () => {}) {
    refs = nameless.map(v => v.ref)
    log({ b: n, act: 'close' })
    before()
    store.close()
    log({ a: n++ })
  }

  const makeSpec = () => ({ type: rng.pick(KINDS), length: lengthFrom(rng), seed: rng.bits() })
  const make = (spec, options) => store.vector(spec.type, content(spec.type, spec.length, spec.seed), options)
  const facts = v => ({ generation: v.ref.generation, ref: v.ref })
  const anyName = () => rng.pick([...named.keys()])
  const anyVector = () => {
    const i = rng.below(named.size + nameless.length)
    return i < named.size ? [...named.values()][i] : nameless[i - named.size]
  }

  /** One whose elements may be changed; undefined: all are sealed. */
  const anyOpen = () => {
    const open = [...named.values(), ...nameless].filter(v => !v.sealed)
    return open.length > 0 ? rng.pick(open) : undefined
  }

  const acts = {
    create() {
      const spec = makeSpec()
      const name = newName()
      return [
        { act: 'create', name, ...spec },
        () => {
          const v = make(spec, { name })
          named.set(name, v)
          return facts(v)
        },
      ]
    },
    createUnnamed() {
      const spec = makeSpec()
      return [
        { act: 'create', name: null, ...spec },
        () => {
          const v = make(spec)
          nameless.push(v)
          return facts(v)
        },
      ]
    },
    keepCopy() {
      const from = anyVector()
      const name = newName()
      return [
        { act: 'copy', name, from: from.ref.generation },
        () => {
          const v = from.copy().keep(name)
          named.set(name, v)
          return facts(v)
        },
      ]
    },
    name() {
      if (nameless.length === 0) return acts.createUnnamed()
      const i = rng.below(nameless.length)
      const v = nameless[i]
      const name = newName()
      return [
        { act: 'name', generation: v.ref.generation, name },
        () => {
          store.set(name, v)
          nameless.splice(i, 1)
          named.set(name, v)
        },
      ]
    },
    rename() {
      const old = anyName()
      const v = named.get(old)
      const name = newName()
      return [
        { act: 'name', generation: v.ref.generation, name },
        () => {
          store.set(name, v)
          named.delete(old)
          named.set(name, v)
        },
      ]
    },
    /** Takes the name of another object away, which dies of it. */
    steal() {
      if (named.size < 2) return acts.create()
      const own = anyName()
      const name = anyName()
      if (own === name) return acts.rename()
      const v = named.get(own)
      return [
        { act: 'steal', generation: v.ref.generation, name, old: named.get(name).ref.generation },
        () => {
          store.set(name, v, { replace: true })
          named.delete(own)
          named.set(name, v)
        },
      ]
    },
    replace() {
      const spec = makeSpec()
      const name = anyName()
      return [
        { act: 'replace', name, old: named.get(name).ref.generation, ...spec },
        () => {
          const v = make(spec, { name, replace: true })
          named.set(name, v)
          return facts(v)
        },
      ]
    },
    replaceShared() {
      const spec = makeSpec()
      const name = rng.pick(SHARED)
      return [{ act: 'shared', name, ...spec }, () => facts(make(spec, { name, replace: true }))]
    },
    destroyNamed() {
      const name = anyName()
      const v = named.get(name)
      return [
        { act: 'destroy', generation: v.ref.generation },
        () => {
          if (rng.below(2) === 0) store.delete(name)
          else v.destroy({ unsafe: rng.below(2) === 0 })
          named.delete(name)
        },
      ]
    },
    destroyNameless() {
      if (nameless.length === 0) return acts.createUnnamed()
      const [v] = nameless.splice(rng.below(nameless.length), 1)
      return [{ act: 'destroy', generation: v.ref.generation }, () => void v.destroy()]
    },
    fill() {
      const v = anyOpen()
      if (v === undefined) return acts.create()
      const by = rng.bits()
      return [{ act: 'fill', generation: v.ref.generation, by }, () => void v.fill(filling(v.type, by).value)]
    },
    set() {
      const v = anyOpen()
      if (v === undefined || v.length === 0) return acts.fill()
      const start = rng.below(v.length)
      const by = rng.bits()
      return [
        { act: 'set', generation: v.ref.generation, start, by },
        () => void v.set(start, filling(v.type, by).value),
      ]
    },
    write() {
      const v = anyOpen()
      if (v === undefined || v.length === 0 || v.type === 'complex') return acts.fill()
      const start = rng.below(v.length)
      const length = 1 + rng.below(Math.min(v.length - start, 2000))
      const by = rng.bits()
      return [
        { act: 'write', generation: v.ref.generation, start, length, by },
        () => {
          const values = content(v.type, length, by)
          if (by % 2 === 0) v.view().set(values, start)
          else v.write(values, start)
        },
      ]
    },
    /** Refused while a view of it is alive. */
    seal() {
      const v = anyOpen()
      if (v === undefined) return acts.create()
      const perform = () => {
        try {
          v.seal()
        } catch (error) {
          if (error?.code !== 'ERR_FMALLOC_BUSY') throw error
          return { refused: true }
        }
      }
      return [{ act: 'seal', generation: v.ref.generation }, perform]
    },
    compact: () => [{ act: 'sync' }, () => void store.compact()],
    compactLater: () => [{ act: 'sync' }, () => void store.compactAsync().catch(() => {})],
    sync: () => [{ act: 'sync' }, () => void store.syncNow()],
    /** These are still running when the next acts come. */
    syncOne() {
      const v = anyVector()
      return [{ act: 'sync' }, () => void v.sync().catch(() => {})]
    },
    syncLater: () => [{ act: 'sync' }, () => void store.sync().catch(() => {})],
    ...rich.acts,
  }
  const bag =
    'create create create createUnnamed keepCopy name rename steal replace replace replaceShared fill set write write seal makeRich makeRich changeRich'.split(
      ' ',
    )
  const ends =
    'destroyNamed destroyNamed destroyNameless replace replaceShared sync syncLater syncOne compact compactLater destroyRich makeRich'.split(
      ' ',
    )

  function step(wanted, { lies = false } = {}) {
    let kind
    if (wanted !== undefined) kind = wanted
    else if (named.size < 3) kind = 'create'
    else if (named.size + nameless.length >= MOST) kind = rng.pick(['destroyNamed', 'destroyNameless'])
    else kind = rng.pick(rng.below(3) === 0 ? ends : bag)
    const [announcement, perform] = acts[kind]()
    log({ b: n, ...announcement })
    log({ a: n, ...(lies ? {} : patiently(perform)) })
    n++
  }
  openStore()
  return { step, openStore, closeStore }
}
