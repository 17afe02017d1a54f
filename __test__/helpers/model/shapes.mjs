// Acts on shape, names and the user's attributes: matrices and arrays, their cells, columns and rows, reshaping, labels.

import assert from 'node:assert/strict'
import { same } from './vectors.mjs'
import { KEYS } from './look.mjs'
import { vectorNode } from './nodes.mjs'
import { element, elements, shown, TYPES } from './values.mjs'

const product = dim => dim.reduce((a, b) => a * b, 1)
const label = (rng, k) => rng.pick([`r${k}`, `a name longer than twelve bytes ${k}`, `😀${k}`])
const labels = (rng, extent) => Array.from({ length: extent }, (_, k) => label(rng, k))

/** Names along some of the extents; null: none at all. An extent of zero has no names. */
function dimnamesFor(rng, dim) {
  const along = dim.map(extent => (extent > 0 && rng.below(3) > 0 ? labels(rng, extent) : null))
  return rng.below(3) === 0 || along.every(names => names === null) ? null : along
}

const anyDim = (rng, rank) => Array.from({ length: rank }, () => (rng.below(12) === 0 ? 0 : 1 + rng.below(4)))

function create(w) {
  const { rng, store } = w
  const isMatrix = rng.below(2) === 0
  const dim = anyDim(rng, isMatrix ? 2 : 1 + rng.below(4))
  const type = rng.pick(TYPES)
  const values = elements(rng, type, product(dim))
  const dimnames = dimnamesFor(rng, dim)
  const [options, name] = w.naming()
  const make = isMatrix ? 'matrix' : 'array'
  const x = store[make](type, dim, { ...options, values, ...(dimnames && { dimnames }) })
  w.made(vectorNode(x, make, type, [...values], { dim, dimnames }), name)
}

function reshape(w) {
  const { rng } = w
  const node = w.vector(n => !w.nodes.parents(n))
  const n = node.values.length
  const divisors = Array.from({ length: n }, (_, k) => k + 1).filter(k => n % k === 0)
  const a = divisors.length > 0 ? rng.pick(divisors) : 0
  const dim = rng.pick([[n], [a, a === 0 ? 1 : n / a], [a, 1, a === 0 ? 1 : n / a]])
  const dimnames = dimnamesFor(rng, dim)
  node.x = dimnames === null ? node.x.reshape(dim) : node.x.reshape(dim, dimnames)
  Object.assign(node, { kind: dim.length === 2 ? 'matrix' : 'array', dim, dimnames, names: null })
  w.refused(() => node.x.reshape([n + 1]), 'DIM')
}

function cell(w) {
  const { rng } = w
  const node = w.vector(n => n.dim !== null && n.values.length > 0 && !n.sealed)
  const at = node.dim.map(extent => rng.below(extent))
  const position = at.reduceRight((sum, i, d) => sum * node.dim[d] + i, 0)
  assert.equal(shown(node.x.cell(at)), shown(node.values[position]))
  const value = element(rng, node.type)
  if (node.kind === 'matrix' && rng.below(2) === 0) node.x.set(...at, value)
  else node.x.setCell(at, value)
  node.values[position] = value
}

const matrix = (w, fits = () => true) => w.vector(n => n.kind === 'matrix' && fits(n))

/** Columns share, one and several. */
function column(w) {
  const { rng } = w
  const node = matrix(w, n => n.dim[1] > 0 && !n.sealed)
  const [nrow, ncol] = node.dim
  const j = rng.below(ncol)
  const names = node.dimnames?.[1]
  const x = names && rng.below(2) === 0 ? node.x.column(names[j]) : node.x.column(j)
  same(x, node.values.slice(j * nrow, (j + 1) * nrow))
  assert.deepEqual(x.names?.toArray() ?? null, node.dimnames?.[0] ?? null)
  const value = element(rng, node.type)
  x.fill(value)
  node.values.fill(value, j * nrow, (j + 1) * nrow)
  const some = node.x.columns(j)
  assert.deepEqual([...some.dim], [nrow, ncol - j])
  same(some, node.values.slice(j * nrow))
  if (names) assert.deepEqual(some.dimnames[1].toArray(), names.slice(j))
}

function row(w) {
  const node = matrix(w, n => n.dim[0] > 0)
  const [nrow, ncol] = node.dim
  const i = w.rng.below(nrow)
  const x = node.x.row(i)
  const values = Array.from({ length: ncol }, (_, j) => node.values[i + j * nrow])
  const names = node.dimnames?.[1] ?? null
  w.result(vectorNode(x, 'vector', node.type, values, { names }), {}, null)
}

function transpose(w) {
  const node = matrix(w)
  const [nrow, ncol] = node.dim
  const values = node.values.map((_, k) => node.values[Math.floor(k / ncol) + (k % ncol) * nrow])
  const [options, name] = w.naming()
  const x = node.x.transpose(options)
  const dimnames = node.dimnames && [node.dimnames[1], node.dimnames[0]]
  const more = { dim: [ncol, nrow], dimnames, user: new Map(node.user) }
  w.result(vectorNode(x, 'matrix', node.type, values, more), options, name)
}

function setDimnames(w) {
  const node = w.vector(n => n.dim !== null)
  const dimnames = dimnamesFor(w.rng, node.dim)
  node.x.setDimnames(dimnames)
  node.dimnames = dimnames
  w.refused(() => node.x.setDimnames([...node.dim.map(() => null), null]), 'DIM')
}

function setNames(w) {
  const { rng, store } = w
  const node = w.vector()
  const { length } = node.values
  const names = rng.below(4) === 0 ? null : elements(rng, 'character', length)
  if (names !== null && rng.below(3) === 0) {
    const given = store.vector('character', names)
    node.x.setNames(given)
    given.destroy()
  } else node.x.setNames(names)
  if (node.dim?.length === 1) node.dimnames = names === null || length === 0 ? null : [names]
  else node.names = names
  w.refused(() => node.x.setNames(Array(length + 1).fill('x')), 'LENGTH')
}

function user(w) {
  const { rng } = w
  const node = w.vector()
  const key = rng.pick(KEYS)
  const value = rng.pick([null, 'kg', 1.5, [1, [2]], { a: null, b: '😀' }, 'x'.repeat(500)])
  node.x.setAttribute(key, value)
  if (value === null) node.user.delete(key)
  else node.user.set(key, value)
}

/** Writing to the names is writing to what they are in. */
function writeNames(w) {
  const { rng } = w
  const node = w.vector(n => n.names !== null && n.values.length > 0)
  const i = rng.below(node.values.length)
  const value = element(rng, 'character')
  node.x.names.set(i, value)
  node.names = node.names.with(i, value)
}

export const shapeActs = {
  shape: create,
  reshape,
  cell,
  column,
  row,
  transpose,
  setDimnames,
  setNames,
  user,
  writeNames,
}
