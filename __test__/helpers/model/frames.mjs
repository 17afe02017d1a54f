// Acts on data frames: made of vectors that are there and of values, widened, narrowed, read by row and written by column.

import assert from 'node:assert/strict'
import { frameNode, vectorNode } from './nodes.mjs'
import { element, elements, shown } from './values.mjs'

/** What JavaScript values become without a type: plain numbers are numeric. */
const INFERRED = ['logical', 'numeric', 'character']

/** Values whose type can be told: the first is no NA. */
function plain(rng, length) {
  const type = rng.pick(INFERRED)
  const values = elements(rng, type, length)
  for (let k = 0; length > 0 && values[0] === null; k++) values[0] = element(rng, type)
  return { type: length === 0 ? 'logical' : type, values }
}

/** Vectors that may be columns of `nrow` rows. */
const fits = nrow => node => node.kind === 'vector' && node.values.length === nrow

/** Columns by name: vectors as they are, and plain values; `values` says what the latter hold. */
function choose(w, nrow, count) {
  const { rng, nodes } = w
  const given = []
  for (let k = 0; k < count; k++) {
    const shared = [...nodes.alive].filter(fits(nrow))
    const name = rng.pick([`c${k}`, `a column with a long name ${k}`])
    if (shared.length > 0 && rng.below(2) === 0) given.push([name, { node: rng.pick(shared) }])
    else if (rng.below(3) === 0 && nrow > 0) given.push([name, repeated(rng, nrow)])
    else given.push([name, plain(rng, nrow)])
  }
  return given
}

/** One value, which is repeated. */
function repeated(rng, nrow) {
  const { type, values } = plain(rng, 1)
  return { type, values: Array(nrow).fill(values[0]), short: values }
}

const inputs = given => Object.fromEntries(given.map(([name, c]) => [name, c.node?.x ?? c.short ?? c.values]))

/** The model's columns, and those of them that the API made. */
function columnsOf(w, x, given) {
  const made = []
  const columns = given.map(([name, { node, type, values }]) => {
    if (node !== undefined) return [name, node]
    const column = w.nodes.add(vectorNode(x.column(name), 'vector', type, [...values]))
    column.temporary = x.state === 'temporary'
    made.push(column)
    return [name, column]
  })
  return { columns, made }
}

function create(w) {
  const { rng, store } = w
  const lengths = [...w.nodes.alive].filter(n => n.kind === 'vector').map(n => n.values.length)
  const nrow = lengths.length > 0 && rng.below(2) === 0 ? rng.pick(lengths) : rng.below(8)
  const full = plain(rng, nrow)
  const given = [['full', full], ...choose(w, nrow, rng.below(4))]
  const rowNames = rng.below(3) === 0 ? Array.from({ length: nrow }, (_, i) => `the row number ${i}`) : null
  const [options, name] = w.naming()
  const x = store.dataFrame(inputs(given), { ...options, ...(rowNames && { rowNames }) })
  const { columns, made } = columnsOf(w, x, given)
  const node = frameNode(x, columns, nrow, rowNames, made, false)
  w.nodes.add(node)
  w.nodes.commit(node)
  if (name !== null) w.nodes.rename(node, name)
}

const frame = (w, check = () => true) => w.any(n => n.kind === 'dataFrame' && check(n))

/** The frame `x` made from another, under these options. */
function derived(w, x, { columns, made }, { nrow, rowNames }, name) {
  const node = frameNode(x, columns, nrow, rowNames, made, name === null)
  w.nodes.add(node)
  if (name === null) return
  w.nodes.commit(node)
  w.nodes.rename(node, name)
}

function widen(w) {
  const node = frame(w)
  const [options, name] = w.naming()
  const given = choose(w, node.nrow, 1 + w.rng.below(2))
  const unique = [...new Map(given)]
  const x = node.x.with(inputs(given), options)
  const next = columnsOf(w, x, unique)
  const columns = new Map(node.columns)
  for (const [key, column] of next.columns) columns.set(key, column)
  derived(w, x, { columns: [...columns], made: next.made }, node, name)
}

function pick(w) {
  const node = frame(w)
  const chosen = node.columns.filter(() => w.rng.below(2) === 0)
  if (chosen.length === 0) chosen.push(node.columns[0])
  const columns = chosen.toReversed()
  const x = node.x.pick(...columns.map(([name]) => name))
  derived(w, x, { columns, made: [] }, node, null)
}

/** A copy of some rows: where the mask is true. */
function filter(w) {
  const node = frame(w)
  const mask = elements(w.rng, 'logical', node.nrow)
  const chosen = mask.flatMap((bit, i) => (bit === true ? [i] : []))
  const x = node.x.filter(mask)
  const given = node.columns.map(([name, { type, values }]) => [
    name,
    { type, values: chosen.map(i => values[i]) },
  ])
  const rowNames = node.rowNames && chosen.map(i => node.rowNames[i])
  const { columns } = columnsOf(w, x, given)
  derived(w, x, { columns, made: [] }, { nrow: chosen.length, rowNames }, null)
}

function rows(w) {
  const node = frame(w, n => n.nrow > 0)
  const i = w.rng.below(node.nrow)
  const row = Object.entries(node.x.row(i)).map(([name, value]) => [name, shown(value)])
  assert.deepEqual(
    row,
    node.columns.map(([name, column]) => [name, shown(column.values[i])]),
  )
  assert.equal(node.x.head(2).length, Math.min(2, node.nrow))
  w.refused(() => node.x.row(node.nrow), 'OUT_OF_BOUNDS')
}

/** A column is the vector itself. */
function writeColumn(w) {
  const node = frame(w, n => n.nrow > 0)
  const [name, column] = w.rng.pick(node.columns)
  if (column.sealed) return
  const i = w.rng.below(node.nrow)
  const value = element(w.rng, column.type)
  node.x.column(name).set(i, value)
  column.values[i] = value
}

export const frameActs = { frame: create, widen, pick, filter, rows, writeColumn }
