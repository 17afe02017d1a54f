/**
 * What a vector and its subarrays share: the binding's token, the liveness cell, the place and size of the payload. Knows when the object is
 * dead and why; makes lanes (private) and user buffers. The facade object that was attached to the token is `owner`: subarrays
 * hold it through here, so the token lives as long as any of them.
 */
import { dtypeOf, KIND, type Dtype } from './dtype.js'
import { fail, isFmallocError, quietly } from './errors.js'
import { Lane } from './lane.js'
import { cellIndex, cellsOf, STRIDE, WINDOW, type Space } from './memory.js'
import { FACT, facts, native, type NativeAttributes, type NativeChanges } from './native.js'
import type { Store } from './store.js'
import type { Stored } from './types.js'
import type { Vector } from './vector.js'
import { PayloadBuffers } from './views.js'

export type State = 'committed' | 'temporary' | 'destroyed' | 'closed'

/** Ids from here on are temporaries and scratch objects: they mean nothing outside this process. */
export const TEMPORARY_ID = 2 ** 32

/** Those of an object without any. */
const PLAIN: NativeAttributes = Object.freeze({
  kind: 0,
  dim: null,
  names: false,
  dimnames: null,
  rows: null,
  rowNames: false,
  user: [],
})

export class Handle {
  readonly space: Space
  /** null for createMmapVector. */
  readonly store: Store | null
  readonly dtype: Dtype
  /** See {@link KIND}. */
  kind: number
  readonly token: number
  /** Elements and bytes of the whole payload; its offset in the data mapping. */
  readonly length: number
  readonly nbytes: number
  off: number
  readonly cells: Int32Array
  readonly cell: number
  cellValue: number
  /** Elements may be written: neither read-only nor sealed, as far as known while {@link alive}. */
  writable: boolean
  /** The attached facade object and the kind of its class; facades of other classes, by kind. */
  owner: Stored | undefined
  ownerKind: number
  others: (Vector | undefined)[] | undefined
  /** The object whose part this is: names die with a temporary that nobody can reach. */
  whole: Handle | undefined
  id: number
  generation: number
  #name: string | null
  #sealed: boolean
  #dead: State | undefined
  #buffers: PayloadBuffers | undefined
  #hasAttributes: boolean
  /** The attributes last asked for, and what the cell said then. */
  #attributes: NativeAttributes
  #attributesStamp: number

  /** Reads the mailbox: call it right after the [facts] call. */
  constructor(space: Space, store: Store | null, name: string | null) {
    const cell = facts[FACT.cell] as number
    this.space = space
    this.store = store
    this.token = facts[FACT.token] as number
    this.off = facts[FACT.off] as number
    this.nbytes = facts[FACT.nbytes] as number
    this.length = facts[FACT.length] as number
    this.id = facts[FACT.id] as number
    this.generation = facts[FACT.generation] as number
    this.cellValue = facts[FACT.cellValue] as number
    this.cell = cellIndex(cell)
    this.cells = cellsOf(cell)
    this.#sealed = facts[FACT.sealed] === 1
    this.writable = !space.readOnly && !this.#sealed
    this.dtype = dtypeOf(facts[FACT.type] as number)
    this.kind = facts[FACT.kind] as number
    this.owner = undefined
    this.ownerKind = this.kind
    this.others = undefined
    this.whole = undefined
    this.#hasAttributes = facts[FACT.attributes] === 1
    this.#attributes = PLAIN
    this.#attributesStamp = 0
    this.#name = name
    this.#dead = undefined
    this.#buffers = undefined
  }

  /**
   * One comparison per element access: the cell changes when the object dies, is sealed or is moved, in any thread. False means only that it must be
   * asked after: see {@link isAlive}.
   */
  get alive(): boolean {
    return this.cells[this.cell] === this.cellValue && this.space.open
  }

  /** Whether the object lives; what this handle knows of it is up to date afterwards. */
  isAlive(): boolean {
    return this.alive || this.#renew()
  }

  /** The cell says that something changed: false if that was the object's end. */
  #renew(): boolean {
    if (this.#dead !== undefined || !this.space.open || this.store === null) return false
    try {
      native.refresh(this.token)
    } catch (e) {
      if (isFmallocError(e, 'ERR_FMALLOC_DESTROYED') || isFmallocError(e, 'ERR_FMALLOC_CLOSED')) return false
      throw e
    }
    this.#learn()
    return true
  }

  /** Reads what may change of a living object from the mailbox. */
  #learn(): void {
    this.cellValue = facts[FACT.cellValue] as number
    this.off = facts[FACT.off] as number
    this.#sealed = facts[FACT.sealed] === 1
    this.writable = !this.space.readOnly && !this.#sealed
    this.kind = facts[FACT.kind] as number
    this.#hasAttributes = facts[FACT.attributes] === 1
  }

  /** Shape, names and the user's attributes as they are now, without a call while nothing changed; the last known ones of a dead object. */
  get attributes(): NativeAttributes {
    if (this.store === null || !quietly(() => this.isAlive(), false)) return this.#attributes
    if (!this.#hasAttributes) return (this.#attributes = PLAIN)
    if (this.#attributesStamp !== this.cellValue) {
      const now = native.attributesOf(this.token)
      this.#attributes = Object.freeze({ ...now, dim: now.dim && Object.freeze(now.dim) })
      this.#attributesStamp = this.cellValue
    }
    return this.#attributes
  }

  /** Changes attributes, all or none; every handle of the object in every thread notices. */
  setAttributes(changes: NativeChanges): void {
    native.setAttributes(this.token, changes)
    this.#learn()
    // Asked at once: what is known of a dead object is what was asked while it lived.
    void this.attributes
  }

  /** Alive, where it was at `stamp`, in an open store of which nothing is lost: then what was read before the question counts. */
  isSoundAt(stamp: number): boolean {
    return this.cells[this.cell] === stamp && this.space.whole
  }

  /** The same for writing, as far as this thread knows: after the write `space.whole` must be asked. */
  isSettableAt(stamp: number): boolean {
    return this.cells[this.cell] === stamp && this.writable && this.space.canWrite
  }

  /** Throws CLOSED or DESTROYED unless alive. */
  check(): void {
    if (!this.alive && !this.#renew()) this.fail()
  }

  /** As {@link check}, and READ_ONLY in a read-only store. */
  checkChangeable(): void {
    this.check()
    if (this.space.readOnly)
      fail('READ_ONLY', `${this.label()} was opened read-only; open the file without readOnly to write`)
  }

  /** As {@link checkChangeable}, and SEALED for a sealed vector: for what writes elements. */
  checkWritable(): void {
    this.checkChangeable()
    if (!this.writable)
      fail('SEALED', `${this.label()} is sealed: its elements are immutable; copy() it to change them`)
  }

  /** Whether the elements are immutable; the last known answer of a dead object. */
  get sealed(): boolean {
    quietly(() => this.isAlive(), false)
    return this.#sealed
  }

  /** Ends writing for every thread; the views made from now on are private memory. */
  seal(): void {
    // What is cached here would keep the object busy for ever; a view that somebody still has does, until it is collected.
    this.#buffers = undefined
    native.seal(this.token)
    this.#learn()
  }

  /**
   * After reading, and before and after writing, payload elements through a lane: throws IO where some of them are lost, and before a write
   * POISONED where others are.
   */
  checkWhole(start: number, count: number, toWrite: boolean): void {
    if (this.space.whole) return
    this.space.canWrite = false
    native.checkWhole(this.token, start, count, toWrite)
  }

  /** Throws the error of a dead handle. */
  fail(): never {
    if (this.state() === 'closed') {
      return fail(
        'CLOSED',
        `closed handle: the store of ${this.label()} is closed; open it again and get the vector by name or ref`,
      )
    }
    return fail('DESTROYED', `closed handle: ${this.label()} was destroyed`)
  }

  /** Never throws. Notices a death once, and gives this thread's hold back then. */
  state(): State {
    if (this.#dead !== undefined) return this.#dead
    if (!this.space.open) return this.#bury('closed')
    if (quietly(() => this.isAlive(), true)) return native.stateOf(this.token)
    const dead = this.#bury(native.stateOf(this.token) === 'closed' ? 'closed' : 'destroyed')
    native.release(this.token)
    return dead
  }

  #bury(state: State): State {
    this.#dead = state
    this.#buffers = undefined
    return state
  }

  /** The name in the store; the last known one of a dead object. */
  get name(): string | null {
    // Quietly: another thread may destroy the object between the two calls, and metadata never throws.
    if (this.store !== null && quietly(() => this.isAlive(), false))
      this.#name = quietly(() => native.nameOf(this.token) ?? null, this.#name)
    return this.#name
  }

  /** How messages call the object. */
  label(): string {
    const what = this.kind === KIND.list ? 'list' : this.kind === KIND.dataFrame ? 'data frame' : 'vector'
    if (this.#name !== null) return `${what} ${JSON.stringify(this.#name)}`
    return what === 'vector' ? `this ${this.dtype.name} vector` : `this ${what}`
  }

  /** Commits a temporary, or names it; the record's id and generation replace the temporary's. */
  commit(name: string | null, replace: boolean): void {
    native.commit(this.token, name, replace)
    this.id = facts[FACT.id] as number
    this.generation = facts[FACT.generation] as number
    this.#name = name
  }

  /** The same off the event loop, which at full durability would wait for the disk. */
  async commitAsync(name: string | null, replace: boolean): Promise<void> {
    const [id, generation] = await native.commitAsync(this.token, name, replace)
    this.id = id
    this.generation = generation
    this.#name = name
    // The store may be closed by now; what is in it stays.
    quietly(() => native.refresh(this.token), undefined)
  }

  /** Names or unnames a committed object. */
  rename(name: string | null, replace: boolean): void {
    native.rename(this.token, name, replace)
    this.#name = name
  }

  /** Ends the object for every thread, by `end` where that is another call; false if it was dead already. */
  destroy(unsafe: boolean, end: () => boolean = () => native.destroy(this.token, unsafe)): boolean {
    if (this.state() === 'closed') this.fail()
    if (this.#dead !== undefined) return false
    const done = end()
    this.#bury('destroyed')
    native.release(this.token)
    return done
  }

  /** Id and generation as they are now: another thread may have committed a temporary. */
  identity(): { id: number; generation: number } {
    if (this.store !== null && quietly(() => this.isAlive(), false)) {
      const now = quietly<{ id: number; generation: number }>(() => native.describe(this.token), this)
      this.id = now.id
      this.generation = now.generation
    }
    return { id: this.id, generation: this.generation }
  }

  /** A private lane over payload elements [start, start + count), at most {@link WINDOW} bytes, whose first index is `first`. */
  lane(start: number, count: number, first: number): Lane {
    const { code, width } = this.dtype
    const nbytes = count * width
    if (this.store === null) {
      // A file without a store has no segments: its own buffers serve, and the liveness test guards them just the same.
      const { buffer, base } = this.buffers().covering(start * width, start * width + nbytes)
      return new Lane(code, buffer, start * width - base, first, count, this.cellValue)
    }
    const off = this.off + start * width
    const stride = Math.floor(off / STRIDE)
    const local = off - stride * STRIDE
    return new Lane(code, this.space.segment(stride, local + nbytes), local, first, count, this.cellValue)
  }

  /** Elements of one lane. */
  get span(): number {
    return WINDOW / this.dtype.width
  }

  /** The buffers users see. */
  buffers(): PayloadBuffers {
    return (this.#buffers ??= new PayloadBuffers(this.token, this.nbytes, buffer => {
      if (this.store !== null) keepOpen.set(buffer, this.store)
    }))
  }
}

/** A store nobody closed stays open as long as one of its views is reachable. */
const keepOpen = new WeakMap<ArrayBuffer, Store>()
