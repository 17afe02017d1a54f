// One history: a seed's acts on one store, the model beside it, and the comparison of both after every few acts, after every reopening, in a
// worker and in another process. At its end everything is destroyed, and nothing may be left.

import assert from 'node:assert/strict'
import { openFmalloc, openRef } from '../../../dist/index.js'
import { random } from '../bytes.mjs'
import { codeOf } from '../waiting.mjs'
import { frameActs } from './frames.mjs'
import { lifeActs } from './life.mjs'
import { listActs } from './lists.mjs'
import { look } from './look.mjs'
import { expected, Nodes } from './nodes.mjs'
import { shapeActs } from './shapes.mjs'
import { subscriptActs } from './subscripts.mjs'
import { vectorActs } from './vectors.mjs'
import { Nothing, World } from './world.mjs'

const ACTS = { ...vectorActs, ...shapeActs, ...lifeActs, ...listActs, ...frameActs, ...subscriptActs }
const KINDS = Object.keys(ACTS)
/** Acts that make and end objects come more often than the mere count of kinds. */
const OFTEN = ['create', 'list', 'frame', 'destroy', 'destroy', 'deleteNamed']
/** From this number of objects on, acts that end them. */
const MOST = 40

const keysOf = nodes => [...nodes.alive].map(node => node.name).filter(name => name !== null)

function compareAll(store, nodes) {
  assert.deepEqual([...store.keys()].sort(), keysOf(nodes).sort())
  assert.equal(store.size, keysOf(nodes).length)
  for (const node of nodes.alive) {
    assert.equal(node.x.state, node.temporary ? 'temporary' : 'committed')
    assert.equal(node.x.name, node.name)
    assert.deepEqual(look(node.x), expected(node))
  }
}

/** The objects that are there beside parts of others are those of the model; verify finds nothing. */
function compareCounts(store, nodes) {
  assert.deepEqual(store.verify({ payloads: true }).faults, [])
  const { unnamedRecords, liveBytes, temporaries } = store.diagnose().summary
  assert.equal(unnamedRecords, nodes.alive.size - keysOf(nodes).length)
  if (nodes.alive.size === 0) assert.equal(liveBytes, 0)
  assert.equal(temporaries, 0)
}

/** What a reader answered, held against the model. */
function compareAnswer({ error, keys, faults, looks }, committed, nodes) {
  assert.equal(error, undefined)
  assert.deepEqual(faults, [])
  assert.deepEqual(keys.sort(), keysOf(nodes).sort())
  committed.forEach(([node, look], i) => assert.deepEqual(looks[i], { name: node.name, ...look }))
}

const committedOf = nodes =>
  [...nodes.alive].filter(node => !node.temporary).map(node => [node, expected(node)])

/** { seed, step, act } of a failure in its message; the acts before it are made again by the same seed. */
export async function live({ file, seed, steps, readers }) {
  const rng = random(seed)
  const nodes = new Nodes()
  const world = new World({ rng, store: openFmalloc(file, { syncEvery: rng.pick([false, 1, 5000]) }), nodes })
  const done = { acts: 0, reopened: 0 }
  let what = 'open'

  async function reopen() {
    const { store } = world
    nodes.close()
    const committed = committedOf(nodes)
    for (const [node] of committed) node.ref = node.x.ref
    store.close()
    if (rng.below(3) === 0) {
      const request = { file, refs: committed.map(([{ ref }]) => ref), readOnly: rng.below(2) === 0 }
      what = `${what}: another process`
      compareAnswer(await readers.child(request), committed, nodes)
    }
    what = `${what}: opened again`
    world.store = openFmalloc(file)
    for (const node of nodes.alive)
      node.x = node.name === null ? openRef(node.ref, { path: file }) : world.store.get(node.name)
    for (const node of nodes.alive) assert.equal(node.x.ref.generation, node.ref.generation)
    for (const [node, before] of committed) assert.deepEqual(look(node.x), before)
    compareAll(world.store, nodes)
    compareCounts(world.store, nodes)
    for (const ref of nodes.dead)
      assert.equal(
        codeOf(() => openRef(ref, { path: file })),
        'ERR_FMALLOC_STALE_REF',
      )
    done.reopened++
  }

  async function worker() {
    const committed = committedOf(nodes)
    const refs = committed.map(([node]) => node.x.ref)
    compareAnswer(await readers.worker({ file, refs, readOnly: false }), committed, nodes)
  }

  const upkeep = {
    reopen,
    worker,
    sync: () => world.store.sync(),
    compact: () => void world.store.compact(),
    compactLater: () => world.store.compactAsync(),
    compare: () => compareAll(world.store, nodes),
  }

  async function step() {
    const die = rng.below(100)
    if (die < 12) {
      what = rng.pick(['reopen', 'reopen', 'reopen', 'worker', 'sync', 'compact', 'compactLater', 'compare'])
      return upkeep[what]()
    }
    const crowded = nodes.alive.size > MOST
    what = crowded ? rng.pick(['destroy', 'deleteNamed', 'listSet']) : rng.pick(die < 40 ? OFTEN : KINDS)
    try {
      ACTS[what](world)
    } catch (error) {
      if (!(error instanceof Nothing)) throw error
    }
  }

  /** Everything is destroyed, what holds before what is held, and nothing is left of it. */
  async function end() {
    for (;;) {
      const free = [...nodes.alive].filter(node => nodes.parents(node) === 0)
      if (free.length === 0) break
      for (const node of free) {
        if (!nodes.alive.has(node) || nodes.parents(node) > 0) continue
        assert.equal(node.x.destroy(), true)
        nodes.die(node)
      }
    }
    assert.equal(nodes.alive.size, 0)
    await reopen()
  }

  let n = 0
  try {
    for (; n < steps; n++) {
      await step()
      done.acts++
    }
    what = 'compare'
    compareAll(world.store, nodes)
    what = 'end'
    await end()
    return done
  } catch (error) {
    throw new Error(`seed ${seed}, step ${n} (${what}): ${error?.code} ${error?.stack}`, { cause: error })
  } finally {
    world.store.close()
  }
}
