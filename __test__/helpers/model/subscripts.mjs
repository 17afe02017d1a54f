// Acts by subscripts: select, exclude and replace by positions, masks and names, as R's brackets with positions from 0; c() of several. What is
// selected beyond the end or by NA is NA (raw: 0), and so is its name (null).

import { combine } from '../../../dist/index.js'
import { namesOf, vectorNode } from './nodes.mjs'
import { same } from './vectors.mjs'
import { elements } from './values.mjs'

const NA = type => (type === 'raw' ? 0 : null)
const plain = (w, fits = () => true) => w.vector(n => n.kind === 'vector' && fits(n))

/** Positions, some of them beyond the end or NA. */
const positions = (rng, length) =>
  Array.from({ length: rng.below(8) }, () => (rng.below(8) === 0 ? null : rng.below(length + 2)))

/** The positions where a mask, recycled, is true; null where it is NA. */
function masked(mask, length) {
  const chosen = []
  for (let i = 0; i < Math.max(length, mask.length) && mask.length > 0; i++) {
    const bit = mask[i % mask.length]
    if (bit !== false) chosen.push(bit === null ? null : i)
  }
  return chosen
}

function taken(node, at) {
  const names = namesOf(node)
  const isThere = i => i !== null && i < node.values.length
  const values = at.map(i => (isThere(i) ? node.values[i] : NA(node.type)))
  return { values, names: names && at.map(i => (isThere(i) ? names[i] : null)) }
}

function result(w, x, type, { values, names }) {
  same(x, values)
  w.result(vectorNode(x, 'vector', type, values, { names }), {}, null)
}

function select(w) {
  const { rng } = w
  const node = plain(w)
  const { length } = node.values
  if (rng.below(2) === 0) {
    const at = positions(rng, length)
    // An array of nothing but NA is a mask, as R's c(NA, NA).
    const isMask = at.length > 0 && at.every(i => i === null)
    result(w, node.x.select(at), node.type, taken(node, isMask ? masked(at, length) : at))
    return
  }
  const mask = elements(rng, 'logical', rng.below(length + 2))
  result(w, node.x.select(mask), node.type, taken(node, masked(mask, length)))
}

function exclude(w) {
  const node = plain(w)
  const { length } = node.values
  const out = positions(w.rng, length).filter(i => i !== null)
  const at = Array.from({ length }, (_, i) => i).filter(i => !out.includes(i))
  result(w, node.x.exclude(out), node.type, taken(node, at))
}

/** On a copy, which grows to what is written beyond its end; the elements between are NA. */
function replace(w) {
  const { rng } = w
  const node = plain(w, n => n.values.length > 0 && n.names === null && n.user.size === 0)
  const at = positions(rng, node.values.length).filter(i => i !== null)
  const given = elements(rng, node.type, Math.max(1, at.length))
  const source = w.store.vector(node.type, given)
  const x = node.x.replace(at, source)
  source.destroy()
  const values = [...node.values]
  for (const [k, i] of at.entries()) {
    while (values.length < i) values.push(NA(node.type))
    values[i] = given[k]
  }
  result(w, x, node.type, { values, names: null })
}

/** R's c() of vectors of one type. */
function concatenate(w) {
  const a = plain(w, n => n.names === null)
  const b = plain(w, n => n.type === a.type && n.names === null)
  result(w, combine(a.x, b.x), a.type, { values: [...a.values, ...b.values], names: null })
}

export const subscriptActs = { select, exclude, replace, concatenate }
