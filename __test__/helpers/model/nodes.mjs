// The model: what must be there, in plain JavaScript. A node is one object that the API has made; it knows its contents, not how they are stored.
// Lives and deaths follow the documented rules: what a list or frame holds stays, a frame takes with it what only it has.

import { KEYS } from './look.mjs'
import { shown, shownAll } from './values.mjs'

/** A vector, matrix or array. */
export function vectorNode(x, kind, type, values, more = {}) {
  const { names = null, dim = null, dimnames = null, user = new Map() } = more
  return { x, kind, type, values, names, dim, dimnames, user, sealed: false, name: null, temporary: false }
}

export const listNode = (x, cells, names) => ({ x, kind: 'list', cells, names, name: null, temporary: false })

/** `made`: columns that the API made for this frame. */
export const frameNode = (x, columns, nrow, rowNames, made, temporary) => ({
  x,
  kind: 'dataFrame',
  columns,
  nrow,
  rowNames,
  made,
  name: null,
  temporary,
})

export const isVector = node => node.values !== undefined

/** R's names(): of an array with one extent its dimnames. */
export const namesOf = node => node.names ?? (node.dim?.length === 1 ? (node.dimnames?.[0] ?? null) : null)

/** What a node holds, each as often as it holds it. */
export const heldBy = node => node.cells?.filter(Boolean) ?? node.columns?.map(([, column]) => column) ?? []

/** What look() must show. */
export function expected(node) {
  if (node.kind === 'list') {
    const { names, cells } = node
    return { kind: 'list', names: shownAll(names), cells: cells.map(c => c?.x.ref.generation ?? null) }
  }
  if (node.kind === 'dataFrame') {
    const { nrow, columns, rowNames } = node
    const row = i => columns.map(([name, column]) => [name, shown(column.values[i])])
    return {
      kind: 'dataFrame',
      nrow,
      columns: columns.map(([name, column]) => [name, column.x.ref.generation]),
      rowNames: shownAll(rowNames),
      first: Array.from({ length: Math.min(3, nrow) }, (_, i) => row(i)),
    }
  }
  return {
    kind: node.kind,
    type: node.type,
    sealed: node.sealed,
    values: node.values.map(shown),
    names: shownAll(namesOf(node)),
    dim: node.dim,
    dimnames: node.dimnames?.map(shownAll) ?? null,
    user: KEYS.map(key => node.user.get(key) ?? null),
  }
}

/** All objects of a store. */
export class Nodes {
  alive = new Set()
  /** Refs of some that died, newest last. */
  dead = []

  add(node) {
    this.alive.add(node)
    return node
  }

  named(name) {
    return [...this.alive].find(node => node.name === name)
  }

  parents(node) {
    let count = 0
    for (const other of this.alive) for (const held of heldBy(other)) if (held === node) count++
    return count
  }

  /** Whether `node` is `wanted` or holds it, at any depth. */
  reaches(node, wanted) {
    return node === wanted || heldBy(node).some(held => this.reaches(held, wanted))
  }

  /** It is committed from now on, with all it holds. */
  commit(node) {
    node.temporary = false
    for (const held of heldBy(node)) this.commit(held)
  }

  #end(node) {
    this.alive.delete(node)
    if (!node.temporary) this.dead.push(node.x.ref)
    this.dead = this.dead.slice(-20)
  }

  /** The end of an object that nothing holds. `columns`: of a frame also those with a name. */
  die(node, columns = false) {
    this.#end(node)
    for (const [, column] of node.columns ?? []) {
      if (!this.alive.has(column) || this.parents(column) > 0) continue
      const isMade = node.made.includes(column) && column.temporary
      if (node.temporary ? isMade || columns : columns || column.name === null) this.#end(column)
    }
  }

  /** `node` gets a name; who had it loses it, and ends unless it is held. */
  rename(node, name) {
    const before = this.named(name)
    this.commit(node)
    node.name = name
    if (before === undefined || before === node) return
    before.name = null
    if (this.parents(before) === 0) this.die(before)
  }

  /** What closing the store ends. */
  close() {
    for (const node of this.alive) if (node.temporary) this.alive.delete(node)
  }
}
