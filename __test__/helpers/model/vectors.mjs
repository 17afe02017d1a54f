// Acts on elements: making vectors, reading and writing them alone, in ranges, through subarrays and copies.

import assert from 'node:assert/strict'
import { namesOf, vectorNode } from './nodes.mjs'
import { element, elements, shown, TYPES, ZERO } from './values.mjs'

const some = rng => (rng.below(10) === 0 ? 0 : rng.below(30) === 0 ? 3000 : 1 + rng.below(24))
const writable = node => !node.sealed

export const same = (v, values) => assert.deepEqual(Array.from(v, shown), values.map(shown))

function create(w) {
  const { rng, store } = w
  const type = rng.pick(TYPES)
  const length = some(rng)
  const [options, name] = w.naming()
  const isZero = rng.below(5) === 0
  const values = isZero ? Array(length).fill(ZERO[type]) : elements(rng, type, length)
  const names = rng.below(4) === 0 ? elements(rng, 'character', length) : null
  const x = store.vector(type, isZero ? length : values, { ...options, ...(names && { names }) })
  w.made(vectorNode(x, 'vector', type, [...values], { names }), name)
}

function set(w) {
  const node = w.vector(n => writable(n) && n.values.length > 0)
  const i = w.rng.below(node.values.length)
  const value = element(w.rng, node.type)
  node.x.set(i, value)
  node.values[i] = value
}

function setMany(w) {
  const { rng } = w
  const node = w.vector(n => writable(n) && n.values.length > 0)
  const positions = Array.from({ length: rng.below(6) }, () => rng.below(node.values.length))
  const one = rng.below(2) === 0
  const values = positions.map(() => element(rng, node.type))
  const value = element(rng, node.type)
  node.x.set(positions, one ? value : values)
  positions.forEach((at, k) => (node.values[at] = one ? value : values[k]))
}

function write(w) {
  const node = w.vector(writable)
  const [from, to] = w.range(node.values.length)
  const values = elements(w.rng, node.type, to - from)
  node.x.write(values, from)
  node.values.splice(from, to - from, ...values)
}

function fill(w) {
  const node = w.vector(writable)
  const value = element(w.rng, node.type)
  node.x.fill(value)
  node.values.fill(value)
}

/** A part shares: what is written to it is written to the vector. */
function subarray(w) {
  const node = w.vector(writable)
  const [from, to] = w.range(node.values.length)
  const part = node.x.subarray(from, to)
  same(part, node.values.slice(from, to))
  const names = namesOf(node)?.slice(from, to)
  if (names !== undefined) same(part.names, names)
  const value = element(w.rng, node.type)
  part.fill(value)
  node.values.fill(value, from, to)
}

function read(w) {
  const node = w.vector(n => n.values.length > 0)
  const i = w.rng.below(node.values.length)
  assert.equal(shown(node.x.get(i)), shown(node.values[i]))
  assert.equal(shown(node.x.at(i - node.values.length)), shown(node.values[i]))
  w.refused(() => node.x.get(node.values.length), 'OUT_OF_BOUNDS')
}

const resultOptions = w => {
  const [options, name] = w.naming()
  return [name === null && w.rng.below(2) === 0 ? { keep: true } : options, name]
}

function slice(w) {
  const node = w.vector()
  const [from, to] = w.range(node.values.length)
  const [options, name] = resultOptions(w)
  const x = node.x.slice(from, to, options)
  const names = namesOf(node)?.slice(from, to) ?? null
  w.result(vectorNode(x, 'vector', node.type, node.values.slice(from, to), { names }), options, name)
}

function copy(w) {
  const node = w.vector()
  const [options, name] = resultOptions(w)
  const x = node.x.copy(options)
  const { kind, type, values, names, dim, dimnames, user } = node
  const more = { names: names && [...names], dim, dimnames, user: new Map(user) }
  w.result(vectorNode(x, kind, type, [...values], more), options, name)
}

/** What does not convert exactly is refused before anything is written. */
function badValue(w) {
  const node = w.vector(n => writable(n) && n.values.length > 1)
  const bad = { character: '\ud800', raw: 256, logical: 2, integer: 0.5, numeric: 'x', complex: 'x' }[
    node.type
  ]
  w.refused(() => node.x.write([node.values[0], bad]), node.type === 'character' ? 'ENCODING' : 'VALUE')
}

function sealedWrite(w) {
  const node = w.vector(n => n.sealed && n.values.length > 0)
  w.refused(() => node.x.set(0, node.values[0]), 'SEALED')
  w.refused(() => node.x.fill(node.values[0]), 'SEALED')
}

export const vectorActs = {
  create,
  set,
  setMany,
  write,
  fill,
  subarray,
  read,
  slice,
  copy,
  badValue,
  sealedWrite,
}
