// Acts on objects with parts: character vectors with names and long strings, lists, data frames. Their names begin with `r` and the thread's
// number. What they hold follows from the seed in the announcement, as far as it is not other objects.

import { random } from '../bytes.mjs'

const MOST = 8 // objects kept per thread
const COLUMNS = ['number', 'text', 'flag']

/** A string that fits into a view, or does not, or is missing. */
function text(rng) {
  const die = rng.below(8)
  if (die === 0) return null
  if (die < 4) return rng.pick(['', 'short', '😀', 'twelve bytes'])
  if (die < 7) return `a string that needs the heap ${rng.bits()}`
  return `${rng.bits()} 😀 `.repeat(rng.below(400))
}

const texts = (rng, length) => Array.from({ length }, () => text(rng))

/** What an object made by this announcement holds, in plain values. */
export function richContent({ kind, seed, cells, length }) {
  const rng = random(seed)
  if (kind === 'text') return { kind, values: texts(rng, length), names: texts(rng, length) }
  if (kind === 'list') return { kind, cells, names: cells.map((_, i) => `the cell with the number ${i}`) }
  const values = {
    number: () => rng.below(1000) / 8,
    text: () => text(rng) ?? 'some text',
    flag: () => rng.below(2) === 1,
  }
  const columns = COLUMNS.map(name => Array.from({ length }, values[name]))
  return { kind, columns, rowNames: Array.from({ length }, (_, i) => `the row with the number ${i} ${seed}`) }
}

/** The same after an act that changes it. */
export function richChanged(content, { act, at, seed }) {
  if (act === 'relabel') return { ...content, names: texts(random(seed), content.values.length) }
  return { ...content, values: content.values.with(at, text(random(seed))) }
}

const strings = v => v?.toArray() ?? null

/** What the API shows, in the form of {@link richContent}; `generations`: of the columns of a frame. */
export function richLook(x) {
  if (x.kind === 'list') {
    const cells = Array.from(x, item => item?.ref.generation ?? null)
    return { content: { kind: 'list', cells, names: strings(x.names) }, generations: [] }
  }
  if (x.kind === 'dataFrame') {
    const columns = x.columnNames.map(name => x.column(name))
    const content = {
      kind: 'frame',
      columns: columns.map(column => column.toArray()),
      rowNames: strings(x.rowNames),
    }
    return { content, generations: columns.map(column => column.ref.generation) }
  }
  return { content: { kind: 'text', values: x.toArray(), names: strings(x.names) }, generations: [] }
}

/** Makes it in the store; `find` gives the object of a generation. */
function make(store, spec, options, find) {
  const { kind, values, names, cells, columns, rowNames } = richContent(spec)
  if (kind === 'text') return store.vector('character', values, { ...options, names })
  if (kind === 'list')
    return store.list(
      cells.map(generation => generation && find(generation)),
      { ...options, names },
    )
  const inputs = Object.fromEntries(columns.map((column, i) => [COLUMNS[i], column]))
  return store.dataFrame(inputs, { ...options, rowNames })
}

/** The acts of one thread. `reopened(store)` tells of the store; each act gives an announcement and what does it, as in acts.mjs. */
export function richActs({ rng, thread, seed }) {
  const mine = `r${thread}-`
  const objects = new Map()
  let store
  let serial = 0

  function reopened(opened) {
    store = opened
    objects.clear()
    for (const name of store.keys()) if (name.startsWith(mine)) objects.set(name, store.get(name))
  }

  const all = kind => [...objects].filter(([, x]) => x.kind === kind)
  const held = () => new Set(all('list').flatMap(([, list]) => [...list].map(x => x?.ref.generation)))
  /** What may end: no list holds it. */
  const free = () => {
    const taken = held()
    return [...objects].filter(([, x]) => !taken.has(x.ref.generation))
  }
  const find = generation => [...objects.values()].find(x => x.ref.generation === generation)

  function makeSpec() {
    return specOf(rng.pick(['text', 'text', 'list', 'frame']), rng.below(10))
  }

  function specOf(kind, length) {
    if (kind !== 'list') return { kind, seed: rng.bits(), length }
    const texts = all('vector').map(([, v]) => v.ref.generation)
    const cells = Array.from({ length }, () =>
      texts.length > 0 && rng.below(3) > 0 ? rng.pick(texts) : null,
    )
    return { kind, seed: 0, cells }
  }

  /** Under a new name, or in the place of one that nothing holds, nor the new one will. */
  function makeRich() {
    const spec = makeSpec()
    const others = free().filter(([, x]) => !(spec.cells ?? []).includes(x.ref.generation))
    const [name, old] =
      others.length > 0 && (objects.size >= MOST || rng.below(4) === 0)
        ? rng.pick(others)
        : [`${mine}${seed}-${serial++}`, undefined]
    return making(spec, name, old)
  }

  function making(spec, name, old) {
    return [
      { act: 'rich', name, old: old?.ref.generation, ...spec },
      () => {
        const x = make(store, spec, { name, replace: old !== undefined }, find)
        objects.set(name, x)
        return { generation: x.ref.generation, ref: x.ref }
      },
    ]
  }

  /** One that has elements, under a new name; a list holds a vector. */
  function makeFull(kind) {
    const spec = specOf(kind, 3)
    if (kind === 'list') spec.cells[0] = all('vector')[0][1].ref.generation
    return making(spec, `${mine}${seed}-${serial++}`)
  }
  const full = {
    makeText: () => makeFull('text'),
    makeList: () => makeFull('list'),
    makeFrame: () => makeFull('frame'),
  }

  function destroyRich() {
    const ends = free()
    if (ends.length === 0) return makeRich()
    const [name, x] = rng.pick(ends)
    return [
      { act: 'endRich', generation: x.ref.generation },
      () => {
        if (rng.below(2) === 0) store.delete(name)
        else x.destroy()
        objects.delete(name)
      },
    ]
  }

  /** Other names, or another string at one position. */
  function changeRich() {
    const vectors = all('vector').filter(([, v]) => v.length > 0)
    if (vectors.length === 0) return makeRich()
    const [, v] = rng.pick(vectors)
    const change = { act: rng.pick(['relabel', 'retext']), at: rng.below(v.length), seed: rng.bits() }
    const { values, names } = richChanged({ values: v.toArray(), names: null }, change)
    const perform = () =>
      void (change.act === 'relabel' ? v.setNames(names) : v.set(change.at, values[change.at]))
    return [{ ...change, generation: v.ref.generation }, perform]
  }

  return { reopened, acts: { makeRich, destroyRich, changeRich, ...full } }
}
