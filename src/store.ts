/**
 * The Store class: one open file. A Map-like catalog of named objects, constructors, the durability barrier, reports, and the end of it
 * all. Everything about one vector's elements is elsewhere.
 */
import { inspect } from 'node:util'
import { compactAsync, compactTo } from './compact.js'
import { shapedNow } from './adopt.js'
import {
  build,
  checkFree,
  checkName,
  checkNotBuilding,
  createShaped,
  createVector,
  placeIn,
} from './create.js'
import { checkLength, dtypeOf, KIND, parseType, RAW } from './dtype.js'
import { importCsv, type CsvImport, type ImportCsvOptions } from './csv.js'
import { fail, quietly, show } from './errors.js'
import { isFrame, type DataFrame } from './frame.js'
import { checkSchema, createFrame, type ColumnInput, type SchemaOf } from './frames.js'
import { facadeOf, handleOf, isStored } from './facade.js'
import { Handle } from './handle.js'
import { inferType } from './infer.js'
import { inspectStore } from './inspect.js'
import { createList, isList, type List } from './list.js'
import { Space } from './memory.js'
import { eachName } from './names.js'
import { FACT, facts, native, type StoreFacts } from './native.js'
import { importNpy, type ImportNpyOptions } from './npy.js'
import { checkFlag, checkKeys, checkPath } from './options.js'
import type { Matrix } from './matrix.js'
import type { NdArray } from './ndarray.js'
import { tidy } from './tidy.js'
import type {
  AllocationRecord,
  AsyncOptions,
  Canon,
  CreateOptions,
  Diagnosis,
  Dimnames,
  Mode,
  Plain,
  Schema,
  Scalar,
  Stored,
  Type,
  TypeName,
  TypeOf,
  VerifyReport,
} from './types.js'
import { isVector, type Vector } from './vector.js'
import { checkViewable } from './views.js'
import { watched } from './watch.js'
import { checkAsync } from './windows.js'

/** The insides of a store, for the other modules of the facade. */
export let spaceOf: (store: Store) => Space
/** Whether `x` is a Store of this package. Never throws. */
export let isStore: (x: unknown) => x is Store
/** Makes the facade of an opened store. */
export let makeStore: (space: Space, known: StoreFacts) => Store

/**
 * One open file. Made by {@link openFmalloc}; several handles on one file share its mapping.
 *
 * @example
 * const store = openFmalloc('cohort.fm')
 * store.vector('integer', [34, null, 51], { name: 'age' })
 * store.close()
 */
export class Store {
  /** As in Vector: makes structuredClone and postMessage throw. */
  protected readonly uncloneable: symbol = Symbol(
    'a rfmalloc Store cannot be cloned or posted: send vector.ref and openRef() it, or open the path again',
  )
  readonly #space: Space
  readonly #facts: StoreFacts
  #size = 0
  #nbytes = 0

  /** Internal. */
  private constructor(space: Space, known: StoreFacts) {
    if (!(space instanceof Space)) fail('ARGUMENT', 'a Store is not made by new: use openFmalloc(filepath)')
    this.#space = space
    this.#facts = known
  }

  static {
    spaceOf = store => store.#space
    makeStore = (space, known) => new Store(space, known)
    isStore = (x): x is Store => typeof x === 'object' && x !== null && #space in x
  }

  // ---- identity; none of these throws, also after close

  /** The absolute path of the file. */
  get path(): string {
    return this.#facts.path
  }
  /** 32 hex digits that tell this store from every other; a plain copy of the file has the same. */
  get uuid(): string {
    return this.#facts.uuid
  }
  /** 'persistent' or 'scratch'. */
  get mode(): Mode {
    return this.#facts.mode
  }
  /** Whether it was opened read-only. */
  get readOnly(): boolean {
    return this.#facts.readOnly
  }
  /** Whether this call to open made the file. */
  get created(): boolean {
    return this.#facts.created
  }
  /** Whether the handle has ended, or cleanupFmalloc refuses new objects. */
  get closed(): boolean {
    return !this.#space.accepting
  }
  /** Named objects, as Map.size; bytes are `nbytes`. The last number known after close. */
  get size(): number {
    if (this.#space.open) this.#size = quietly(() => native.storeNamed(this.#space.handle), this.#size)
    return this.#size
  }
  /** Bytes of the file. */
  get nbytes(): number {
    if (this.#space.open) this.#nbytes = quietly(() => native.storeNbytes(this.#space.handle), this.#nbytes)
    return this.#nbytes
  }
  /** Bytes the file may grow to. */
  get maxSize(): number {
    return this.#facts.maxSize
  }

  // ---- constructors

  /**
   * A committed vector of a length (zeros), or of values converted as R's `as.*` do. Throws EXISTS for a taken name without
   * `replace`; NO_SPACE leaves the store as it was.
   *
   * @example
   * store.vector('numeric', 3e9, { name: 'weight' })
   * store.vector('integer', [34, null, 51], { name: 'age' })
   */
  vector<A extends Exclude<TypeName, 'list'>>(
    type: A,
    lengthOrValues: number | Plain | (Iterable<Scalar<Canon<A>>> & object) | Vector,
    o?: CreateOptions,
  ): Vector<Canon<A>> {
    const dtype = parseType(type)
    return createVector(this, dtype, lengthOrValues, o, 'vector') as Vector<Type> as Vector<Canon<A>>
  }

  /** A committed vector with the type of the values: plain numbers are numeric, never integer; an Int32Array is integer. */
  from<V extends Plain>(values: V, o?: CreateOptions): Vector<TypeOf<V>> {
    const dtype = parseType(inferType(values))
    return createVector(this, dtype, values, o, 'from') as Vector<Type> as Vector<TypeOf<V>>
  }

  /**
   * A committed list: of a length (empty cells), of vectors, lists and data frames of this store, or of named ones. Temporaries among them
   * are committed with it. Throws OTHER_STORE, ARGUMENT (a subarray), VALUE (undefined).
   *
   * @example
   * store.list([age, null, model], { name: 'study' })
   */
  list(
    items: number | readonly (Stored | null)[] | Readonly<Record<string, Stored | null>>,
    o?: CreateOptions,
  ): List {
    return createList(this, items, o, 'list')
  }

  /**
   * A committed column-major matrix of zeros, or of `values` converted as R's `as.*` do. Throws DIM for bad extents, values or dimnames of another
   * number, and what {@link vector} throws; then nothing was made.
   *
   * @example
   * store.matrix('numeric', [2, 3], { name: 'X', values: [1, 2, 3, 4, 5, 6], dimnames: [['a', 'b'], null] })
   */
  matrix<A extends Exclude<TypeName, 'list'>>(
    type: A,
    dim: readonly [number, number],
    o?: CreateOptions & { values?: Plain | Vector; dimnames?: Dimnames },
  ): Matrix<Canon<A>> {
    const dtype = parseType(type)
    return createShaped(this, dtype, KIND.matrix, dim, o, 'matrix') as Vector<Type> as Matrix<Canon<A>>
  }

  /** A committed column-major array of any rank; see {@link matrix}. Two extents make an array too, not a matrix. */
  array<A extends Exclude<TypeName, 'list'>>(
    type: A,
    dim: readonly number[],
    o?: CreateOptions & { values?: Plain | Vector; dimnames?: Dimnames },
  ): NdArray<Canon<A>> {
    const dtype = parseType(type)
    return createShaped(this, dtype, KIND.array, dim, o, 'array') as Vector<Type> as NdArray<Canon<A>>
  }

  /**
   * A committed data frame. Vectors of this store become columns as they are, without a copy; plain values become committed columns with the
   * frame. A shorter column is repeated where its length divides the longest. Throws LENGTH (rows that do not fit), OTHER_STORE, ARGUMENT
   * (a subarray; repeated or missing row names), DIM (a matrix); then nothing was made.
   *
   * @example
   * const df = store.dataFrame({ age, score: [1.5, null, 2] }, { name: 'people' })
   */
  dataFrame<I extends Readonly<Record<string, ColumnInput>>>(
    columns: I,
    o?: { name?: string; replace?: boolean; rowNames?: readonly string[] },
  ): DataFrame<SchemaOf<I>> {
    return createFrame(this, columns, o, 'dataFrame') as DataFrame<never> as DataFrame<SchemaOf<I>>
  }

  /**
   * A committed data frame of a CSV file (UTF-8), read off the event loop in one pass or two, never held in memory. Each column gets the
   * narrowest type that holds all of it, as R's read.csv does: logical, integer, numeric, complex, text; `columns` says what each became, how
   * many are NA and which field made it text. `onProgress` counts bytes. An error or abort leaves nothing in the store.
   *
   * Rejects with VALUE (a field that is none of its column's given type, an empty file, an open quote), LENGTH (a record of another number of
   * fields), ENCODING; `details` name `row` (from 0), `line` (from 1) and `column`. Also NOT_FOUND, EXISTS, NO_SPACE, IO, CLOSED.
   *
   * @example
   * const { frame, columns } = await store.importCsv('flights.csv', { name: 'flights', types: { zip: 'character' } })
   */
  importCsv<C extends Schema = Schema>(path: string | URL, o?: ImportCsvOptions): Promise<CsvImport<C>> {
    return importCsv(this, path, o) as Promise<CsvImport<never>> as Promise<CsvImport<C>>
  }

  /**
   * A committed vector, matrix or array of NumPy's .npy file (versions 1.0 to 3.0, either byte order, either order of elements), read off the
   * event loop. float64, float32 and integers too large for R's become numeric, bool logical, uint8 raw, complex complex. Rejects with CORRUPT or
   * VERSION (no such file), UNSUPPORTED (text, objects, dates), VALUE (a 64-bit integer that no double is), NOT_FOUND, EXISTS, NO_SPACE, IO.
   *
   * @example
   * const X = await store.importNpy('X.npy', { name: 'X' })
   */
  importNpy(path: string | URL, o?: ImportNpyOptions): Promise<Vector> {
    return importNpy(this, path, o)
  }

  /** File-backed memory for code that takes a buffer: the view of a temporary raw vector. Zeroed; freed with its last view. */
  allocate(nbytes: number): Uint8Array {
    const dtype = dtypeOf(RAW)
    const length = checkLength(nbytes, 'nbytes')
    checkViewable(length, dtype)
    return build(placeIn(this, {}, false), dtype, length, true).view() as Uint8Array
  }

  // ---- the catalog

  /** The object of this name, the same facade each time while it lives, or undefined. */
  get(name: string): Stored | undefined {
    const wanted = checkName(name)
    this.#space.checkAccepting()
    const found = native.getByName(this.#space.handle, wanted) ?? undefined
    return found === undefined ? undefined : this.#materialize(found, wanted)
  }

  /** The vector of this name; NOT_FOUND if there is none, TYPE if it has another type. */
  getVector<A extends Type = Type>(name: string, type?: A): Vector<A> {
    const dtype = type === undefined ? undefined : parseType(type)
    const found = this.#wanted(name)
    if (!isVector(found)) return fail('TYPE', `${show(name)} is no vector`, { name })
    if (dtype !== undefined && found.type !== dtype.name) {
      fail('TYPE', `vector ${show(name)} is ${found.type}, not ${dtype.name}`, { name, type: found.type })
    }
    return found as Vector as Vector<A>
  }

  /** The matrix of this name; NOT_FOUND if there is none, TYPE if it is none or has another element type. */
  getMatrix<A extends Type = Type>(name: string, type?: A): Matrix<A> {
    const found = this.getVector(name, type)
    if (found.kind !== 'matrix') fail('TYPE', `${show(name)} is no matrix but a ${found.kind}`, { name })
    return found as Vector<Type> as Matrix<A>
  }

  /** The list of this name; NOT_FOUND if there is none, TYPE if it is none. */
  getList(name: string): List {
    const found = this.#wanted(name)
    return isList(found) ? found : fail('TYPE', `${show(name)} is no list`, { name })
  }

  /**
   * The data frame of this name, with columns of these types; it may have more. NOT_FOUND if there is none, TYPE if it is none, or a column
   * of the schema is missing or of another type.
   *
   * @example
   * const df = store.getDataFrame('people', { age: 'integer', score: 'numeric' })
   */
  getDataFrame<C extends Schema = Schema>(name: string, schema?: C): DataFrame<C> {
    const found = this.#wanted(name)
    if (!isFrame(found)) return fail('TYPE', `${show(name)} is no data frame`, { name })
    if (schema !== undefined) checkSchema(found, schema, name)
    return found as DataFrame<never> as DataFrame<C>
  }

  #wanted(name: string): Stored {
    return this.get(name) ?? fail('NOT_FOUND', `no object named ${show(name)} in ${this.path}`, { name })
  }

  /** Whether an object has this name. */
  has(name: string): boolean {
    const wanted = checkName(name)
    this.#space.checkAccepting()
    return native.has(this.#space.handle, wanted)
  }

  /** Names in order of creation, the same after reopening. */
  keys(): IterableIterator<string> {
    this.#space.checkAccepting()
    return eachName(native.names(this.#space.handle))
  }

  /** Names and objects in order of creation; what disappears meanwhile is skipped. */
  entries(): IterableIterator<[string, Stored]> {
    return this.#entries(this.keys())
  }

  *#entries(names: Iterable<string>): IterableIterator<[string, Stored]> {
    for (const name of names) {
      const value = this.get(name)
      if (value !== undefined) yield [name, value]
    }
  }

  /** Names or renames an object of this store; a temporary is committed. EXISTS for a taken name without `replace`. */
  set(name: string, value: Stored, o?: { replace?: boolean }): this {
    const wanted = checkName(name)
    const replace = checkFlag(checkKeys(o, ['replace'], 'set')['replace'], false, 'replace')
    if (!isStored(value)) return fail('ARGUMENT', `set: expected an object of this store, not ${show(value)}`)
    this.#space.checkCreatable()
    const handle = handleOf(value, 'set')
    handle.check()
    if (handle.store === null || handle.space.users !== this.#space.users) {
      fail(
        'OTHER_STORE',
        `set: ${handle.label()} belongs to ${handle.space.path || 'another store'}; copy({ into: store }) it first`,
      )
    }
    if (handle.name !== wanted) checkFree(this.#space, wanted, replace)
    value.keep(wanted, { replace })
    return this
  }

  /** Destroys the object of this name; false if there is none. */
  delete(name: string): boolean {
    const wanted = checkName(name)
    this.#space.checkCreatable()
    const found = native.getByName(this.#space.handle, wanted) ?? undefined
    if (found === undefined) return false
    if (found !== 1) return (found as Stored).destroy()
    const token = facts[FACT.token] as number
    try {
      return native.destroy(token, false)
    } finally {
      native.release(token)
    }
  }

  #materialize(found: object | 1, name: string | null): Stored {
    return found === 1 ? facadeOf(new Handle(this.#space, this, name)) : shapedNow(found as Stored)
  }

  // ---- durability, reports

  /** The durability barrier: what was written before survives a power cut once it resolves. */
  async sync(): Promise<void> {
    this.#space.checkAccepting()
    if (!this.readOnly) await native.storeSync(this.#space.handle)
  }

  /** {@link sync}, blocking the thread. */
  syncNow(): void {
    this.#space.checkAccepting()
    if (!this.readOnly) native.storeSyncNow(this.#space.handle)
  }

  /**
   * Checks superblock, catalog, names and overlaps; with `payloads` also the elements of sealed vectors against their checksums. Reads
   * only. Never throws for damage: the report lists every fault with its place, its byte offset and the record's id.
   *
   * @example
   * const { ok, faults } = store.verify({ payloads: true })
   */
  verify(o?: { payloads?: boolean }): VerifyReport {
    const payloads = checkFlag(checkKeys(o, ['payloads'], 'verify')['payloads'], false, 'payloads')
    this.#space.checkAccepting()
    return native.storeVerify(this.#space.handle, payloads)
  }

  /**
   * {@link verify} off the event loop; the store stays usable meanwhile. `onProgress` counts records, then bytes of sealed payloads.
   * Rejects with `signal.reason` on abort, CLOSED if the store is closed meanwhile.
   */
  async verifyAsync(o?: { payloads?: boolean } & AsyncOptions): Promise<VerifyReport> {
    const { signal, progress } = checkAsync(o, 'verifyAsync', ['payloads'])
    const payloads = checkFlag(o?.payloads, false, 'payloads')
    this.#space.checkAccepting()
    const { handle } = this.#space
    return await watched(control => native.storeVerifyAsync(handle, payloads, control), signal, progress)
  }

  // ---- compaction

  /**
   * Makes the file shorter: objects move from its end into gaps, then the free tail goes; no free disk space is needed. Names and refs hold.
   * Returns bytes moved and bytes by which the file became shorter. What has a view, or is open in another thread, stays where it
   * is, and so do the catalog's own pages; `diagnose().summary.compactionHeldBack` counts the objects. Syncs. Throws READ_ONLY, BUSY while
   * another compaction or copy runs, CORRUPT.
   */
  compact(): { moved: number; freed: number } {
    this.#space.checkAccepting()
    checkNotBuilding('compact')
    const { moved, freed } = native.storeCompact(this.#space.handle)
    return { moved, freed }
  }

  /**
   * {@link compact} off the event loop: objects that any thread has open, this one included, stay where they are. On abort it stops and rejects
   * with `signal.reason`; what was moved by then is moved.
   */
  compactAsync(o?: AsyncOptions): Promise<{ moved: number; freed: number }> {
    return compactAsync(this.#space, o)
  }

  /**
   * Writes a dense copy of all objects to a new file: same ids, generations and names under a new uuid, nothing of the gaps. Never replaces
   * another file (EXISTS); an error or abort leaves nothing behind. The copy shows the catalog of one moment; elements written in place
   * meanwhile may be in it or not; temporaries are not copied. CORRUPT names what is damaged instead of copying it.
   *
   * Onto the store's own path, the copy takes the file's place and keeps the uuid; this store is then closed as by {@link close}: open it
   * again, names and refs hold. It must be the process's only handle on the file, without views: BUSY; every use is BUSY meanwhile.
   */
  async compactTo(path: string, o?: AsyncOptions): Promise<void> {
    await compactTo(this.#space, checkPath(path), o, () => this.close())
  }

  /** Runs `fn`, then destroys the temporaries it made in this store, except those found in what it returns. */
  tidy<R>(fn: () => R): R {
    if (typeof fn !== 'function') fail('ARGUMENT', `tidy: expected a function, not ${show(fn)}`)
    this.#space.checkAccepting()
    return tidy(this.#space, fn)
  }

  /**
   * Empties the store: every object, named or not, and every temporary is destroyed, in every thread; references are stale. Views taken
   * before stay readable, and the file shrinks at close. Throws BUSY while an operation runs, CORRUPT (and destroys nothing) where a
   * record is damaged. A power cut before the next sync may bring single objects back, whole; with full durability none.
   *
   * @example
   * store.reset()
   * store.size   // 0
   */
  reset(): void {
    this.#space.checkCreatable()
    native.storeReset(this.#space.handle)
  }

  /** A row for every record, newest first; also tombstones whose space is not reusable yet. */
  allocations(): AllocationRecord[] {
    this.#space.checkAccepting()
    return native.storeAllocations(this.#space.handle)
  }

  /**
   * The store's numbers: R's summary, and where the bytes are. `liveBytes + pinnedBytes` (destroyed, under living views) `+ temporaryBytes +
   * retiredBytes` (waiting for a sync) `+ freeBytes + metadataBytes` is the file's length; `largestGapBytes`, `unnamedRecords`,
   * `temporaries`, `damagedRecords`, `sealedRecords`; after a machine crash `discardedRecords` and `keptRecords`. Reads the catalog.
   */
  diagnose(): Diagnosis {
    this.#space.checkAccepting()
    const { handle } = this.#space
    return {
      runtime: runtimeInfo(this),
      catalog: native.storeAllocations(handle),
      summary: { ...native.storeSummary(handle), ...COMPACTION },
    }
  }

  /** What JSON has of a store: path and uuid. */
  toJSON(): { path: string; uuid: string } {
    return { path: this.path, uuid: this.uuid }
  }

  /** What Node prints: a summary, never the data. */
  [inspect.custom](): string {
    return inspectStore(this)
  }

  // ---- the end

  /**
   * Ends the handle at once: every vector of it is closed, the thread's views go to length 0 (Node 20: read zeros) with its last
   * handle, the lock is released with the process's last. Blocks for the sync then. Idempotent.
   */
  close(): void {
    if (!this.#space.open) return
    // The last numbers, for afterwards.
    this.#size = quietly(() => native.storeNamedLast(this.#space.handle), this.#size)
    void this.nbytes
    this.#space.close()
    native.storeClose(this.#space.handle)
  }

  /** {@link close}, at the end of a block with `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** {@link sync}, then {@link close}, at the end of a block with `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.closed) await this.sync()
    } finally {
      this.close()
    }
  }
}

/** R's summary speaks of compaction. */
const COMPACTION = {
  compactionImplemented: true,
  compactionNote: 'compact() moves objects into gaps and cuts the tail; compactTo() writes a dense copy',
}

/** The object with this id, as {@link Store.get} finds one by name. Throws STALE_REF. */
export function getById(store: Store, id: number, generation: number, temporary: boolean): Stored {
  const space = spaceOf(store)
  const { handle } = space
  const found = temporary
    ? native.getTemporary(handle, id, generation)
    : native.getById(handle, id, generation)
  return found === 1 ? facadeOf(new Handle(space, store, null)) : shapedNow(found as Stored)
}

/** cleanupFmalloc: refuses new objects; the mapping goes with the last vector. */
export function drainStore(store: Store): void {
  const space = spaceOf(store)
  if (!space.accepting) return
  space.accepting = false
  if (native.storeDrain(space.handle)) space.close()
}

/** The runtime part of a diagnosis; works until the handle is closed. */
export function runtimeInfo(store: Store): Diagnosis['runtime'] {
  const space = spaceOf(store)
  if (!space.open) fail('CLOSED', `runtime is closed: ${store.path}`)
  const { nbytes: _nbytes, maxSize: _maxSize, ...runtime } = native.storeInfo(space.handle)
  return runtime
}
