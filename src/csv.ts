/**
 * CSV files: data frames from them and into them, off the event loop. Options are checked here; everything else is the core's.
 */
import { placeIn } from './create.js'
import { parseType } from './dtype.js'
import { fail, show } from './errors.js'
import { handleOf } from './facade.js'
import { columnsOf, type DataFrame } from './frame.js'
import { adoptMadeAsync } from './list.js'
import { native, type Control, type NativeCsvOptions, type NativeCsvStyle } from './native.js'
import { checkFlag, checkKeys, checkPath, isGiven } from './options.js'
import { spaceOf, type Store } from './store.js'
import type { AsyncOptions, RType, Schema } from './types.js'
import { watched } from './watch.js'
import { checkAsync } from './windows.js'

/** Types that a column of a CSV file can have. */
export type CsvType = Exclude<RType, 'raw'>

/** How {@link Store.importCsv} reads a file. */
export interface ImportCsvOptions extends AsyncOptions {
  /** Name of the frame in the store. */
  name?: string
  /** Replaces an object of that name; default false. */
  replace?: boolean
  /** Between fields, one ASCII character; default `','`. */
  delimiter?: string
  /** Around fields, doubled inside; null: quotes are characters like others. Default `'"'`. */
  quote?: string | null
  /** Whether the first record names the columns; default true. Without, they are V1, V2, …. */
  header?: boolean
  /** Names of the columns in the place of the header's. */
  columnNames?: readonly string[]
  /** Makes names syntactic ones of R, as read.csv does; default false. Repeated ones are told apart always: a, a.1. */
  checkNames?: boolean
  /** Types of columns by name; null leaves a column out. The others get the narrowest type that holds the whole column. */
  types?: Readonly<Record<string, CsvType | null>>
  /** Texts that mean NA; default `['NA']`. Blank fields are NA in all columns but text. */
  na?: readonly string[]
  /** Lines left out at the beginning; default 0. */
  skip?: number
}

/** What a column was read as. */
export interface CsvColumn {
  /** Name of the column. */
  readonly name: string
  /** The type it got. */
  readonly type: CsvType
  /** Missing elements. */
  readonly naCount: number
  /** Why it is text: the first field that is nothing else, with its row (from 0) and line of the file (from 1). */
  readonly whyText: { readonly row: number; readonly line: number; readonly text: string } | null
}

/** What {@link Store.importCsv} resolves with. */
export interface CsvImport<out C extends Schema = Schema> {
  /** The data frame, committed. */
  readonly frame: DataFrame<C>
  /** Rows read. */
  readonly rows: number
  /** Bytes of the file. */
  readonly nbytes: number
  /** One for each column, in order. */
  readonly columns: readonly CsvColumn[]
}

/** How {@link DataFrame.exportCsv} writes a file. */
export interface ExportCsvOptions extends AsyncOptions {
  /** Replaces a file that is there; default false. */
  replace?: boolean
  /** Between fields, one ASCII character; default `','`. */
  delimiter?: string
  /** Around fields, doubled inside; default `'"'`. */
  quote?: string
  /** Quotes all text, not only where it is needed; default false. */
  quoteAll?: boolean
  /** Whether the columns' names come first; default true. */
  header?: boolean
  /** Whether the rows' names, or their numbers from 1, come in a first column; default false. */
  rowNames?: boolean
  /** Stands for NA; default `'NA'`. */
  na?: string
  /** Ends lines with CR LF; default false. */
  crlf?: boolean
  /** Begins with a byte order mark, as Excel likes it; default false. */
  bom?: boolean
}

const IMPORT_KEYS = [
  'name',
  'replace',
  'delimiter',
  'quote',
  'header',
  'columnNames',
  'checkNames',
  'types',
  'na',
  'skip',
] as const

const EXPORT_KEYS = [
  'replace',
  'delimiter',
  'quote',
  'quoteAll',
  'header',
  'rowNames',
  'na',
  'crlf',
  'bom',
] as const

/** Store.importCsv. */
export async function importCsv(store: Store, path: unknown, o: unknown): Promise<CsvImport> {
  const { signal, progress } = checkAsync(o, 'importCsv', IMPORT_KEYS)
  const raw = checkKeys(o, ['signal', 'onProgress', 'memory', ...IMPORT_KEYS], 'importCsv')
  const options = parseImport(raw)
  const file = checkPath(path)
  const place = placeIn(store, raw, true)
  const { handle } = spaceOf(store)
  // Waits for the end of the work also after an abort, so that nothing goes on behind the caller's back.
  const parcel = native.csvParcel()
  const work = (control: Control) => native.csvRead(handle, file, options, parcel, control).then(() => true)
  await watched(work, signal, progress, done => done)
  const { rows, nbytes, columns } = native.csvFrame(handle, parcel)
  const frame = await adoptMadeAsync<DataFrame>(place)
  const described = columns.map(({ name, type, nas, row, line, text }): CsvColumn => {
    return Object.freeze({ name, type, naCount: nas, whyText: row < 0 ? null : { row, line, text } })
  })
  return Object.freeze({ frame, rows, nbytes, columns: Object.freeze(described) })
}

/** DataFrame.exportCsv. */
export async function exportCsv(frame: DataFrame, path: unknown, o: unknown): Promise<{ nbytes: number }> {
  const { signal, progress } = checkAsync(o, 'exportCsv', EXPORT_KEYS)
  const style = parseExport(checkKeys(o, ['signal', 'onProgress', 'memory', ...EXPORT_KEYS], 'exportCsv'))
  const file = checkPath(path)
  const handle = handleOf(frame, 'exportCsv')
  handle.check()
  // Says where a crash took a column.
  columnsOf(frame)
  const work = async (control: Control) => native.csvWrite(handle.token, file, style, control)
  const nbytes = await watched(work, signal, progress, done => done !== null && done !== undefined)
  return { nbytes: nbytes ?? 0 }
}

function parseImport(raw: Readonly<Record<string, unknown>>): NativeCsvOptions {
  const types = checkTypes(raw['types'])
  const quote = raw['quote'] === null ? {} : { quote: checkMark(raw['quote'], '"', 'quote') }
  const names = isGiven(raw['columnNames']) ? { names: checkStrings(raw['columnNames'], 'columnNames') } : {}
  return {
    delimiter: checkMark(raw['delimiter'], ',', 'delimiter'),
    ...quote,
    header: checkFlag(raw['header'], true, 'header'),
    ...names,
    checkNames: checkFlag(raw['checkNames'], false, 'checkNames'),
    typeNames: types.map(([name]) => name),
    typeCodes: types.map(([, code]) => code),
    na: isGiven(raw['na']) ? checkStrings(raw['na'], 'na') : ['NA'],
    skip: checkCount(raw['skip']),
  }
}

function parseExport(raw: Readonly<Record<string, unknown>>): NativeCsvStyle {
  const na = raw['na'] ?? 'NA'
  if (typeof na !== 'string') fail('ARGUMENT', `na must be a string, not ${show(na)}`)
  return {
    delimiter: checkMark(raw['delimiter'], ',', 'delimiter'),
    quote: checkMark(raw['quote'], '"', 'quote'),
    quoteAll: checkFlag(raw['quoteAll'], false, 'quoteAll'),
    header: checkFlag(raw['header'], true, 'header'),
    rowNames: checkFlag(raw['rowNames'], false, 'rowNames'),
    na: na as string,
    crlf: checkFlag(raw['crlf'], false, 'crlf'),
    bom: checkFlag(raw['bom'], false, 'bom'),
    replace: checkFlag(raw['replace'], false, 'replace'),
  }
}

function checkMark(given: unknown, byDefault: string, what: string): string {
  if (!isGiven(given)) return byDefault
  if (typeof given !== 'string' || !/^[\t\x20-\x7e]$/.test(given))
    return fail('ARGUMENT', `${what} must be one ASCII character, not ${show(given)}`)
  return given
}

function checkStrings(given: unknown, what: string): string[] {
  if (!Array.isArray(given) || !given.every((x): x is string => typeof x === 'string'))
    return fail('ARGUMENT', `${what} must be an array of strings, not ${show(given)}`)
  return [...given]
}

function checkCount(given: unknown): number {
  if (!isGiven(given)) return 0
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 0)
    return fail('ARGUMENT', `skip must be a whole number of lines, not ${show(given)}`)
  return given
}

/** Name and type code of each; -1 leaves a column out. */
function checkTypes(given: unknown): [string, number][] {
  if (!isGiven(given)) return []
  if (typeof given !== 'object' || Array.isArray(given))
    return fail('ARGUMENT', `types must be an object of types by column, not ${show(given)}`)
  return Object.entries(given as object).map(([name, type]) => [
    name,
    type === null ? -1 : parseType(type).code,
  ])
}
