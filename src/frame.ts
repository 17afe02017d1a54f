/**
 * The DataFrame class: columns of equal length under one name. Rows are read from the columns, without a native call per cell. Frames do not
 * change: `with` and `pick` make others that share columns. It may touch handles and facades; how frames are made is in `frames.ts`.
 */
import { inspect } from 'node:util'
import { exportCsv, type ExportCsvOptions } from './csv.js'
import { fail, quietly, show } from './errors.js'
import { facadeOf } from './facade.js'
import { pickColumns, withColumns, type ColumnInput, type SchemaOf } from './frames.js'
import { Handle, TEMPORARY_ID, type State } from './handle.js'
import { inspectFrame, summarizeObject } from './inspect-objects.js'
import { partOf, NAMES, ROW_NAMES } from './labels.js'
import { keepObject } from './life.js'
import { native } from './native.js'
import { checkFlag, checkKeys } from './options.js'
import { filterRows, selectRows } from './rows.js'
import type { Store } from './store.js'
import type { DataFrameRef, Index, ResultOptions, Scalar, Schema, Type } from './types.js'
import { refuseMethods } from './unsupported.js'
import type { Vector } from './vector.js'

/** One row: an object without a prototype, whose keys are the columns. */
export type Row<C extends Schema> = { [K in keyof C]: Scalar<C[K]> }

/** Cells of the longest toJSON. */
const JSON_MAX = 1e6
/** Rows that `head` gives. */
const HEAD = 6

/** Makes the facade object of a frame's handle. */
export let makeFrame: (handle: Handle) => DataFrame
/** What stands behind a frame. */
export let frameHandle: (frame: DataFrame) => Handle
/** Whether `x` is a DataFrame of this package. Never throws. */
export let isFrame: (x: unknown) => x is DataFrame
/** Says that these temporaries were made for the frame alone: they end with it. */
export let ownColumns: (frame: DataFrame, made: readonly Handle[]) => void
/** The columns in their order. */
export let columnsOf: (frame: DataFrame) => readonly Vector[]

/** What this version lacks, in full types; bodies come from the table below. */
export interface DataFrame<out C extends Schema = Schema> {
  /** Not there yet: throws UNSUPPORTED. */
  toArrow(): Promise<unknown>
}

/**
 * Vectors of equal length under names of their own, as R's data frame. No `.length`: R counts columns, JavaScript would count rows. Not made
 * by `new`: see `store.dataFrame`.
 *
 * @example
 * const df = store.dataFrame({ age, score: [1.5, null, 2] }, { name: 'people' })
 * df.columns.age === age     // true: columns keep their storage
 * df.row(1).score            // null
 */
export class DataFrame<out C extends Schema = Schema> implements Iterable<Row<C>> {
  /** As in Vector: makes structuredClone and postMessage throw. */
  protected readonly uncloneable: symbol = Symbol(
    'a rfmalloc DataFrame cannot be cloned or posted: send df.ref and openRef() it',
  )
  readonly #handle: Handle
  readonly #nrow: number
  readonly #names: readonly string[]
  readonly #vectors: (Vector | undefined)[] = []
  #record: { readonly [K in keyof C]: Vector<C[K]> } | undefined
  #made: readonly Handle[] = []

  /** Internal. */
  private constructor(handle: Handle) {
    if (!(handle instanceof Handle))
      fail('ARGUMENT', 'a DataFrame is not made by new: use store.dataFrame(columns)')
    this.#handle = handle
    this.#nrow = handle.attributes.rows ?? 0
    const names = partOf(handle, NAMES, 0, handle.length)?.toArray() ?? []
    this.#names = Object.freeze(Array.from({ length: handle.length }, (_, i) => names[i] ?? `V${i + 1}`))
  }

  static {
    makeFrame = handle => new DataFrame(handle)
    frameHandle = frame => frame.#handle
    isFrame = (x): x is DataFrame => typeof x === 'object' && x !== null && #handle in x
    ownColumns = (frame, made) => {
      frame.#made = made
    }
    columnsOf = frame => frame.#all()
  }

  // ---- identity; none of these throws, also on a dead handle

  /** 'dataFrame'. */
  get kind(): 'dataFrame' {
    return 'dataFrame'
  }
  /** Rows. */
  get nrow(): number {
    return this.#nrow
  }
  /** Columns. */
  get ncol(): number {
    return this.#names.length
  }
  /** Name in the store. */
  get name(): string | null {
    return this.#handle.name
  }
  /** The store it is in. */
  get store(): Store {
    return this.#handle.store as Store
  }
  /** 'committed', 'temporary', 'destroyed' or 'closed'. */
  get state(): State {
    return this.#handle.state()
  }
  /** Names of the columns, in order. */
  get columnNames(): readonly string[] {
    return this.#names
  }
  /** Names of the rows, shared; null: they are numbered, and nothing is stored. */
  get rowNames(): Vector<'character'> | null {
    return partOf(this.#handle, ROW_NAMES, 0, this.#nrow)
  }

  /** The frame's plain name: frozen, clonable, JSON-safe, with the types of its columns. Reading it changes nothing. */
  get ref(): DataFrameRef<C> {
    const { space } = this.#handle
    const { id, generation } = this.#handle.identity()
    return Object.freeze({
      uuid: space.uuid,
      path: space.path,
      id,
      generation,
      temporary: id >= TEMPORARY_ID,
      kind: 'dataFrame',
      schema: quietly(() => this.#schema(), Object.freeze({})) as C,
      nrow: this.#nrow,
    })
  }

  #schema(): Schema {
    const types = this.#all().map((column, i): [string, Type] => [this.#names[i] as string, column.type])
    return Object.freeze(Object.fromEntries(types))
  }

  // ---- columns

  /**
   * All columns by name, in a frozen object without a prototype. They are the vectors themselves: writing to one writes to the frame.
   * Throws STALE_REF where a crash took a column.
   *
   * @example
   * const { age, score } = df.columns
   */
  get columns(): { readonly [K in keyof C]: Vector<C[K]> } {
    this.#handle.check()
    if (this.#record === undefined) {
      const record = Object.create(null) as Record<string, Vector>
      this.#all().forEach((column, i) => {
        record[this.#names[i] as string] = column
      })
      this.#record = Object.freeze(record) as { readonly [K in keyof C]: Vector<C[K]> }
    }
    return this.#record
  }

  /** The column of this name, shared. Throws OUT_OF_BOUNDS for a name that is not there. */
  column<K extends keyof C & string>(name: K): Vector<C[K]> {
    this.#handle.check()
    return this.#vector(this.#position(name)) as Vector as Vector<C[K]>
  }

  #position(name: unknown): number {
    const i = typeof name === 'string' ? this.#names.indexOf(name) : -1
    if (i >= 0) return i
    const known = this.#names.slice(0, 10).join(', ') + (this.#names.length > 10 ? ', …' : '')
    return fail('OUT_OF_BOUNDS', `undefined columns selected: no column ${show(name)}; there are ${known}`, {
      name,
    })
  }

  #vector(i: number): Vector {
    return (this.#vectors[i] ??= this.#open(i))
  }

  #open(i: number): Vector {
    const found = native.listGet(this.#handle.token, i) ?? undefined
    const column = found === 1 ? facadeOf(new Handle(this.#handle.space, this.#handle.store, null)) : found
    if (column === undefined || !('type' in column) || (column as Vector).length !== this.#nrow) {
      fail(
        'CORRUPT',
        `column ${show(this.#names[i])} of ${this.#handle.label()} has not its ${this.#nrow} rows`,
      )
    }
    return column as Vector
  }

  #all(): Vector[] {
    for (let i = 0; i < this.#names.length; i++) this.#vector(i)
    return this.#vectors as Vector[]
  }

  /** A frame of some of the columns, in the order of the names. It shares them, so they live as long as it does; a temporary until kept. */
  pick<K extends keyof C & string>(...names: K[]): DataFrame<{ readonly [P in K]: C[P] }> {
    this.#handle.check()
    for (const name of names) this.#position(name)
    return pickColumns(this as DataFrame, names) as DataFrame<never> as DataFrame<{ readonly [P in K]: C[P] }>
  }

  /**
   * A frame with more columns, or others in the place of those with the same names; it shares the rest. A shorter column is repeated where its
   * length divides the rows. A temporary unless named or kept.
   *
   * @example
   * df.with({ old: df.columns.age.gt(65) }, { name: 'people', replace: true })
   */
  with<I extends Record<string, ColumnInput>>(
    columns: I,
    o?: ResultOptions,
  ): DataFrame<Omit<C, keyof I> & SchemaOf<I>> {
    this.#handle.check()
    return withColumns(this as DataFrame, columns, o) as DataFrame<never> as DataFrame<
      Omit<C, keyof I> & SchemaOf<I>
    >
  }

  // ---- rows

  /** Row `i`: an object without a prototype; null is NA. Throws OUT_OF_BOUNDS, SUBSCRIPT for a fraction. */
  row(i: number): Row<C> {
    this.#handle.check()
    if (typeof i !== 'number' || !Number.isInteger(i))
      fail('SUBSCRIPT', `a row's position must be a whole number, not ${show(i)}`)
    if (i < 0 || i >= this.#nrow)
      fail('OUT_OF_BOUNDS', `subscript out of bounds: row ${i} is not in 0..${this.#nrow - 1}`, { index: i })
    return this.#row(this.#all(), i)
  }

  #row(columns: readonly Vector[], i: number): Row<C> {
    const row = Object.create(null) as Record<string, unknown>
    for (let k = 0; k < columns.length; k++) row[this.#names[k] as string] = (columns[k] as Vector).get(i)
    return row as Row<C>
  }

  /** The first rows; six if not said otherwise. */
  head(n: number = HEAD): Row<C>[] {
    if (typeof n !== 'number' || !(n >= 0))
      fail('ARGUMENT', `head: expected a number of rows, not ${show(n)}`)
    this.#handle.check()
    const columns = this.#all()
    return Array.from({ length: Math.min(Math.trunc(n), this.#nrow) }, (_, i) => this.#row(columns, i))
  }

  /** Row by row; lazy. Throws when the frame dies meanwhile. */
  *[Symbol.iterator](): IterableIterator<Row<C>> {
    this.#handle.check()
    const columns = this.#all()
    for (let i = 0; i < this.#nrow; i++) yield this.#row(columns, i)
  }

  /**
   * The rows where the mask is true, copied; rows where it is NA are dropped, unlike R's `df[mask, ]`. A temporary unless named or kept. Throws
   * LENGTH for a mask of another length than there are rows, TYPE for one that is not logical.
   *
   * @example
   * df.filter(df.columns.age.gt(40).and(df.columns.score.lt(2)))
   */
  filter(mask: Vector<'logical'> | readonly (boolean | null)[], o?: ResultOptions): DataFrame<C> {
    this.#handle.check()
    return filterRows(this as DataFrame, mask, o) as DataFrame<never> as DataFrame<C>
  }

  /**
   * R's `df[rows, ]`: the rows at positions, by a mask or by names, copied, as often as they are named; a missing one, or one beyond the end, is a
   * row of NA. Stored row names go along, told apart ('a', 'a.1'). A temporary unless named or kept.
   */
  select(rows: Index, o?: ResultOptions): DataFrame<C> {
    this.#handle.check()
    return selectRows(this as DataFrame, rows, o) as DataFrame<never> as DataFrame<C>
  }

  // ---- out of the store

  /** The rows. Throws TOO_LARGE above 1e6 cells. */
  toJSON(): Row<C>[] {
    if (this.#nrow * this.ncol > JSON_MAX) {
      fail(
        'TOO_LARGE',
        `toJSON: ${this.#nrow} rows of ${this.ncol} columns are more than 1e6 cells; send ref`,
        {
          nrow: this.#nrow,
          ncol: this.ncol,
        },
      )
    }
    return [...this]
  }

  /**
   * Writes the rows as CSV (UTF-8), off the event loop: doubles with the fewest digits that read back as the same number, text quoted where it
   * needs it, NA as `NA`. The file appears when it is complete; an error or abort leaves none, and an old one as it was. `onProgress` counts
   * rows. Rejects with EXISTS without `replace`, NOT_FOUND (the folder), NO_SPACE, IO, CLOSED.
   *
   * @example
   * await df.exportCsv('people.csv', { replace: true })
   */
  exportCsv(path: string | URL, o?: ExportCsvOptions): Promise<{ nbytes: number }> {
    return exportCsv(this as DataFrame, path, o)
  }

  /** The one-line summary, never the data. */
  toString(): string {
    return summarizeObject(this as DataFrame)
  }

  /** Text where text is wanted; otherwise throws OPERATOR, since JavaScript operators cannot work here. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString()
    return fail('OPERATOR', 'JavaScript operators do not work on data frames: use df.column(name)')
  }

  /** What Node prints: a summary, never the data. */
  [inspect.custom](): string {
    return inspectFrame(this as DataFrame)
  }

  // ---- life

  /** Commits a temporary with its columns, or names what is committed. Throws EXISTS for a taken name without `replace`. */
  keep(name?: string, o?: { replace?: boolean }): this {
    keepObject(this.#handle, name, o)
    return this
  }

  /**
   * Ends the frame in every thread, and with it the columns that only it holds and that have no name of their own; with `columns` also those
   * that have one. A temporary frame ends only what was made for it, unless `columns` is given. False if it was destroyed already. Throws
   * BUSY while a list holds it.
   */
  destroy(o?: { columns?: boolean }): boolean {
    const named = checkFlag(checkKeys(o, ['columns'], 'destroy')['columns'], false, 'columns')
    if (this.state !== 'destroyed') this.#handle.checkChangeable()
    const done = this.#handle.destroy(false, () => native.destroyFrame(this.#handle.token, named))
    for (const made of this.#made)
      if (made.state() === 'temporary' && native.parents(made.token) === 0) made.destroy(false)
    return done
  }
}

// In JavaScript `df[0]` would be a silent undefined.
Object.defineProperty(DataFrame.prototype, '0', {
  get() {
    fail('OPERATOR', 'df[0] does not reach a row: use df.row(0)')
  },
  configurable: true,
})

refuseMethods(DataFrame.prototype, 'DataFrame', {
  Arrow: ['toArrow'],
})
