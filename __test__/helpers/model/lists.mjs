// Acts on lists: made of what is there, cells set and emptied, no list ever in itself.

import assert from 'node:assert/strict'
import { listNode } from './nodes.mjs'

const cellOf = w => (w.rng.below(4) === 0 ? null : w.any())

function create(w) {
  const { rng, store, nodes } = w
  const cells = Array.from({ length: rng.below(5) }, () => (nodes.alive.size > 0 ? cellOf(w) : null))
  if (cells.length > 1 && rng.below(3) === 0) cells[1] = cells[0]
  const [options, name] = w.naming()
  const objects = cells.map(cell => cell?.x ?? null)
  const names = cells.map((_, i) => `cell ${i} of a list with names`)
  const isNamed = rng.below(2) === 0
  const items = isNamed ? Object.fromEntries(objects.map((x, i) => [names[i], x])) : objects
  const node = listNode(store.list(items, options), cells, isNamed ? names : null)
  nodes.commit(node)
  w.made(node, name)
}

const list = w => w.any(n => n.kind === 'list' && n.cells.length > 0)

function set(w) {
  const node = list(w)
  const i = w.rng.below(node.cells.length)
  const value = cellOf(w)
  if (value !== null && w.nodes.reaches(value, node)) {
    w.refused(() => node.x.set(i, value.x), 'CYCLE')
    return
  }
  const key = node.names !== null && w.rng.below(2) === 0 ? node.names[i] : i
  node.x.set(key, value?.x ?? null)
  if (value !== null) w.nodes.commit(value)
  node.cells[i] = value
}

/** What is taken out is the object itself. */
function get(w) {
  const node = list(w)
  const i = w.rng.below(node.cells.length)
  const found = node.x.get(i)
  assert.equal(found?.ref.generation, node.cells[i]?.x.ref.generation)
  assert.equal(found?.name ?? null, node.cells[i]?.name ?? null)
  w.refused(() => node.x.get(node.cells.length), 'OUT_OF_BOUNDS')
}

export const listActs = { list: create, listSet: set, listGet: get }
