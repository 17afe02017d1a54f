// What every act gets: the store, the model, the seed's numbers, and the ways to choose among what is there.

import assert from 'node:assert/strict'
import { isVector } from './nodes.mjs'

/** An act that has nothing to act on. */
export class Nothing extends Error {}

export class World {
  serial = 0

  constructor({ rng, store, nodes }) {
    Object.assign(this, { rng, store, nodes })
  }

  newName() {
    return `${this.rng.pick(['v', 'größe ', '😀'])}${this.serial++}`
  }

  /** A node for which `fits`; ends the act if there is none. */
  any(fits = () => true) {
    const found = [...this.nodes.alive].filter(fits)
    if (found.length === 0) throw new Nothing()
    return this.rng.pick(found)
  }

  vector(fits = () => true) {
    return this.any(node => isVector(node) && fits(node))
  }

  /** A name that an object has already; ends the act if there is none. */
  takenName() {
    return this.any(node => node.name !== null).name
  }

  /** A chosen part [from, to) of `length`, perhaps empty. */
  range(length) {
    const from = this.rng.below(length + 1)
    return [from, from + this.rng.below(length - from + 1)]
  }

  /** No name, a new one, or one that is taken and then replaced: [options, the name or null]. */
  naming() {
    const die = this.rng.below(4)
    const taken = [...this.nodes.alive].filter(node => node.name !== null)
    if (die === 0) return [{}, null]
    if (die < 3 || taken.length === 0) {
      const name = this.newName()
      return [{ name }, name]
    }
    const { name } = this.rng.pick(taken)
    return [{ name, replace: true }, name]
  }

  /** The node of what was made under these options. */
  made(node, name) {
    this.nodes.add(node)
    if (name !== null) this.nodes.rename(node, name)
    return node
  }

  /** The same for results of operations, which are temporaries without name or keep. */
  result(node, options, name) {
    node.temporary = name === null && !options.keep
    return this.made(node, name)
  }

  /** `act` throws an error with this code, and changes nothing. */
  refused(act, code) {
    assert.throws(act, { code: `ERR_FMALLOC_${code}` })
  }
}
