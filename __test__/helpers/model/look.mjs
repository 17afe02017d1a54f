// What an object of the store shows through the public API, as plain data: the one description by which the model, this process, a worker
// and another process are compared. Objects inside of others are told by their generation.

import { shown, shownAll } from './values.mjs'

/** Keys that the acts give user attributes. */
export const KEYS = ['unit', 'größe 😀', 'k']

const texts = v => (v === null ? null : shownAll(v.toArray()))

export function look(x) {
  if (x.kind === 'list') {
    return {
      kind: 'list',
      names: texts(x.names),
      cells: Array.from(x, item => item?.ref.generation ?? null),
    }
  }
  if (x.kind === 'dataFrame') {
    return {
      kind: 'dataFrame',
      nrow: x.nrow,
      columns: x.columnNames.map(name => [name, x.column(name).ref.generation]),
      rowNames: texts(x.rowNames),
      first: x.head(3).map(row => Object.entries(row).map(([key, value]) => [key, shown(value)])),
    }
  }
  return {
    kind: x.kind,
    type: x.type,
    sealed: x.sealed,
    values: Array.from(x, shown),
    names: texts(x.names),
    dim: x.dim === null ? null : [...x.dim],
    dimnames: x.dim === null ? null : (x.dimnames?.map(texts) ?? null),
    user: KEYS.map(key => x.getAttribute(key) ?? null),
  }
}
