// Acts on the life of an object of any kind: kept, named, renamed, replaced, sealed, destroyed, by itself or by its name.

import assert from 'node:assert/strict'
import { isVector } from './nodes.mjs'

/** Of a temporary: commits it with what it holds. */
function keep(w) {
  const node = w.any(n => n.temporary)
  const [options, name] = w.naming()
  if (name === null) node.x.keep()
  else node.x.keep(name, { replace: options.replace ?? false })
  w.nodes.commit(node)
  if (name !== null) w.nodes.rename(node, name)
  assert.equal(node.x.state, 'committed')
}

function rename(w) {
  const node = w.any()
  const name = w.newName()
  w.store.set(name, node.x)
  w.nodes.rename(node, name)
}

function steal(w) {
  const node = w.any()
  const name = w.takenName()
  if (node.name !== name) w.refused(() => w.store.set(name, node.x), 'EXISTS')
  w.store.set(name, node.x, { replace: true })
  w.nodes.rename(node, name)
}

function deleteNamed(w) {
  const node = w.any(n => n.name !== null)
  const { name } = node
  if (w.nodes.parents(node) > 0) {
    w.refused(() => w.store.delete(name), 'BUSY')
    return
  }
  assert.equal(w.store.delete(name), true)
  assert.equal(w.store.delete(name), false)
  w.nodes.die(node)
  assert.equal(node.x.state, 'destroyed')
}

function destroy(w) {
  const node = w.any()
  if (w.nodes.parents(node) > 0) {
    w.refused(() => node.x.destroy(), 'BUSY')
    return
  }
  const columns = node.kind === 'dataFrame' && w.rng.below(2) === 0
  const options = columns ? { columns } : node.kind === 'dataFrame' ? {} : { unsafe: w.rng.below(2) === 0 }
  const held = (node.columns ?? []).map(([, column]) => column)
  assert.equal(node.x.destroy(options), true)
  assert.equal(node.x.destroy(), false)
  w.nodes.die(node, columns)
  for (const column of held)
    assert.equal(column.x.state === 'destroyed', !w.nodes.alive.has(column), `column ${column.name}`)
}

/** Refused while buffers of it are not collected. */
function seal(w) {
  const node = w.any(n => isVector(n) && !n.temporary)
  try {
    node.x.seal()
  } catch (error) {
    if (error.code !== 'ERR_FMALLOC_BUSY') throw error
    return
  }
  node.sealed = true
}

export const lifeActs = { keep, rename, steal, deleteNamed, destroy, seal }
