/**
 * How frames are made: columns from vectors and plain values, repeated where they are shorter, named, put together in one call; frames from
 * frames. Everything is checked before anything is made, and what was made goes where something fails later.
 */
import { build, discard, fillerOf, placeIn, type Place } from './create.js'
import { CHARACTER, isTypedArray, parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { handleOf } from './facade.js'
import { columnsOf, ownColumns, type DataFrame } from './frame.js'
import type { Handle } from './handle.js'
import { placeResult } from './home.js'
import { inferType } from './infer.js'
import { adoptMade } from './list.js'
import { native } from './native.js'
import { checkFlag, checkKeys, isGiven } from './options.js'
import type { Notes } from './scalar.js'
import { spaceOf, type Store } from './store.js'
import { checkTexts } from './text.js'
import type { Plain, ResultOptions, Schema, TypeOf } from './types.js'
import { isVector, partsOf, type Vector } from './vector.js'
import { warnMask } from './warnings.js'

/** What becomes a column: a vector of the store, which keeps its storage, or values. */
export type ColumnInput = Vector | Plain
/** The types of columns made of these. */
export type SchemaOf<I> = { readonly [K in keyof I & string]: TypeOf<I[K]> }

export type Entry = readonly [name: string, column: unknown]

// ---- one call

/**
 * A frame of these columns where the place says. `foreign`: columns that are copied into its store; `fixed`: its rows, where they do not
 * follow from the columns.
 */
export function assembleFrame(
  place: Place,
  entries: readonly Entry[],
  rowNames: readonly (string | null)[] | null,
  operation: string,
  foreign: ReadonlySet<unknown> = new Set(),
  fixed?: number,
): DataFrame {
  const names = entries.map(([name]) => name)
  checkTexts(names)
  if (rowNames !== null) checkTexts(rowNames)
  const lens = entries.map(([name, column]) => lengthOf(name, column, operation))
  const rows = fixed ?? native.frameRows(lens, rowNames?.length ?? -1)
  const notes: Notes = { mask: 0 }
  const made: Handle[] = []
  try {
    const handles = entries.map(([, column], i) => {
      const asItIs = isVector(column) && lens[i] === rows && !foreign.has(column)
      if (asItIs) return ownVector(place.store, column, operation)
      if (isVector(column) && !foreign.has(column)) ownVector(place.store, column, operation)
      const handle = columnOf(place.store, column, lens[i] as number, rows, notes, operation)
      made.push(handle)
      return handle
    })
    const tokens = Int32Array.from(handles, handle => handle.token)
    native.frame(spaceOf(place.store).handle, tokens, names, rowNames)
    const frame = adoptMade<DataFrame>(place)
    ownColumns(frame, made)
    warnMask(notes.mask, operation)
    return frame
  } catch (e) {
    for (const handle of made) discard(handle)
    throw e
  }
}

/** Elements of what becomes a column. */
function lengthOf(name: string, column: unknown, operation: string): number {
  if (isVector(column)) return column.length
  if (Array.isArray(column) || isTypedArray(column)) return column.length
  return fail(
    'ARGUMENT',
    `${operation}: column ${show(name)} must be a vector, an array or a typed array, not ${show(column)}`,
    { column: name },
  )
}

/** The handle of a vector that is to be a column as it is. */
function ownVector(store: Store, column: Vector, operation: string): Handle {
  const handle = handleOf(column, operation)
  handle.check()
  if (handle.store === null || handle.space.users !== spaceOf(store).users) {
    fail(
      'OTHER_STORE',
      `${operation}: ${handle.label()} belongs to ${handle.space.path || 'another store'}; copy it into this one first`,
    )
  }
  return handle
}

/** A temporary of `rows` elements: those of the source, over and over. */
function columnOf(
  store: Store,
  source: unknown,
  length: number,
  rows: number,
  notes: Notes,
  operation: string,
): Handle {
  const dtype = isVector(source) ? partsOf(source).handle.dtype : parseType(inferType(source))
  const filler = fillerOf(dtype, source, notes, operation, store)
  const place = placeIn(store, {}, false)
  const column = build(place, dtype, rows, false, handle => {
    filler().fill(handle)
    if (length < rows) repeat(handle, length, rows)
  })
  return partsOf(column).handle
}

/** Repeats the first `length` elements to the end. */
function repeat(handle: Handle, length: number, rows: number): void {
  if (length === 1 && handle.dtype.code === CHARACTER) {
    // One string, stored once.
    native.textFill(handle.token, 1, rows, native.textGet(handle.token, 0) ?? null)
    return
  }
  for (let done = length; done < rows;) {
    const count = Math.min(done, rows - done)
    native.copyRange(handle.token, done, handle.token, 0, count)
    done += count
  }
}

// ---- from columns

const FRAME_KEYS = ['name', 'replace', 'rowNames'] as const

/** The frame behind store.dataFrame. */
export function createFrame(store: Store, columns: unknown, options: unknown, operation: string): DataFrame {
  const raw = checkKeys(options, FRAME_KEYS, operation)
  const rowNames = checkRowNames(raw['rowNames'], operation)
  const entries = entriesOf(columns, operation)
  return assembleFrame(placeIn(store, raw, true), entries, rowNames, operation)
}

function entriesOf(columns: unknown, operation: string): Entry[] {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns) || isVector(columns)) {
    return fail(
      'ARGUMENT',
      `${operation}: expected an object whose keys are the columns' names, not ${show(columns)}`,
    )
  }
  return Object.entries(columns)
}

function checkRowNames(given: unknown, operation: string): readonly (string | null)[] | null {
  if (!isGiven(given)) return null
  if (isVector(given) && given.type === 'character') return (given as Vector as Vector<'character'>).toArray()
  if (!Array.isArray(given))
    return fail('ARGUMENT', `${operation}: rowNames must be an array of strings, not ${show(given)}`)
  return Array.from(given as (string | null)[])
}

/** createFmallocDataFrame: columns by name or in an array, names made syntactic unless `checkNames` is false. */
export function createSeedFrame(
  store: Store,
  columns: unknown,
  options: Readonly<Record<string, unknown>>,
  operation: string,
): DataFrame {
  const { namesFor, rowNames } = checkSeed(options, operation)
  const given: Entry[] = Array.isArray(columns)
    ? columns.map((column, i): Entry => [`V${i + 1}`, column])
    : entriesOf(columns, operation)
  const names = namesFor(given.map(([name]) => name))
  const entries = given.map(([, column], i): Entry => [names[i] as string, column])
  return assembleFrame(placeIn(store, {}, true), entries, rowNames, operation)
}

function checkSeed(options: Readonly<Record<string, unknown>>, operation: string) {
  const check = checkFlag(options['checkNames'], true, 'checkNames')
  if (checkFlag(options['stringsAsFactors'], false, 'stringsAsFactors'))
    fail('UNSUPPORTED', `${operation}: there are no factors; text stays text (stringsAsFactors: false)`)
  const namesFor = (names: readonly string[]): readonly string[] => {
    checkTexts(names)
    return check ? native.makeNames(names) : names
  }
  return { namesFor, rowNames: checkRowNames(options['rowNames'], operation) }
}

/** asFmallocDataFrame of a frame: itself if nothing changes, else one that shares its columns. */
export function renamedFrame(
  store: Store,
  frame: DataFrame,
  options: Readonly<Record<string, unknown>>,
  operation: string,
): DataFrame {
  const { namesFor, rowNames } = checkSeed(options, operation)
  const names = namesFor(frame.columnNames)
  const isSame = names.every((name, i) => name === frame.columnNames[i])
  if (isSame && rowNames === null && spaceOf(store).users === spaceOf(frame.store).users) return frame
  const place = placeIn(store, {}, true)
  const { entries, foreign } = ownEntries(frame, place)
  const renamed = entries.map(([, column], i): Entry => [names[i] as string, column])
  return assembleFrame(place, renamed, rowNames ?? rowNamesOf(frame), operation, foreign)
}

// ---- from a frame

function rowNamesOf(frame: DataFrame): (string | null)[] | null {
  return frame.rowNames?.toArray() ?? null
}

/** The frame's own columns as entries, and those that are copied where the result lies in another store. */
function ownEntries(frame: DataFrame, place: Place): { entries: Entry[]; foreign: Set<unknown> } {
  const columns = columnsOf(frame)
  const { users } = spaceOf(place.store)
  const entries = columns.map((column, i): Entry => [frame.columnNames[i] as string, column])
  return { entries, foreign: new Set(columns.filter(c => partsOf(c).handle.space.users !== users)) }
}

export function pickColumns(frame: DataFrame, names: readonly string[]): DataFrame {
  if (names.length === 0) fail('ARGUMENT', 'pick: name at least one column')
  const place = placeResult(handleOf(frame, 'pick'), undefined, 'pick')
  const { entries, foreign } = ownEntries(frame, place)
  const picked = names.map(name => entries.find(([known]) => known === name) as Entry)
  return assembleFrame(place, picked, rowNamesOf(frame), 'pick', foreign)
}

export function withColumns(frame: DataFrame, columns: unknown, o: ResultOptions | undefined): DataFrame {
  const place = placeResult(handleOf(frame, 'with'), o, 'with')
  const given = entriesOf(columns, 'with')
  const { entries, foreign } = ownEntries(frame, place)
  for (const [name, column] of given) {
    const length = lengthOf(name, column, 'with')
    if (frame.ncol > 0 && length !== frame.nrow && (length === 0 || frame.nrow % length !== 0)) {
      fail('LENGTH', `with: replacement has ${length} rows, data has ${frame.nrow} (column ${show(name)})`, {
        column: name,
        length,
        rows: frame.nrow,
      })
    }
    const at = entries.findIndex(([known]) => known === name)
    entries[at < 0 ? entries.length : at] = [name, column]
  }
  const rows = frame.ncol > 0 ? frame.nrow : undefined
  return assembleFrame(place, entries, rowNamesOf(frame), 'with', foreign, rows)
}

/** A frame whose columns have these types: TYPE where one is missing or of another type. */
export function checkSchema(frame: DataFrame, schema: unknown, name: string): void {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    fail('ARGUMENT', `getDataFrame: the schema must be an object of types, not ${show(schema)}`)
  for (const [column, type] of Object.entries(schema as Schema)) {
    const wanted = parseType(type).name
    if (!frame.columnNames.includes(column))
      fail('TYPE', `data frame ${show(name)} has no column ${show(column)}`, { name, column })
    const found = frame.column(column).type
    if (found !== wanted) {
      fail('TYPE', `column ${show(column)} of data frame ${show(name)} is ${found}, not ${wanted}`, {
        name,
        column,
        type: found,
      })
    }
  }
}
