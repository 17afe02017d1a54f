/**
 * The commands that write: compact, import, export.
 */
import { extname, basename } from 'node:path'
import type { CsvType, ImportCsvOptions } from '../csv.js'
import { isFrame } from '../frame.js'
import type { Store } from '../store.js'
import { isVector, type Vector } from '../vector.js'
import type { Given, Spec } from './arguments.js'
import { wanted } from './inspect.js'
import { EXIT, plain, progressLine, size, table, UsageError, write, writeLines } from './output.js'

export const COMPACT: Spec = {
  args: ['STORE'],
  options: { to: { type: 'string' } },
  help: `moves objects into gaps and makes the file shorter
  --to FILE      leaves the store as it is and writes a dense copy
  --json         prints JSON`,
}

export async function compact(store: Store, given: Given, signal: AbortSignal): Promise<number> {
  const to = given.text('to')
  const { onProgress, end } = progressLine('compact')
  const options = { signal, ...(onProgress && { onProgress }) }
  if (to !== undefined) {
    await store.compactTo(to, options).finally(end)
    await write(given.json ? JSON.stringify({ path: to }) + '\n' : `${plain(to)}: written\n`)
    return EXIT.done
  }
  const { moved, freed } = await store.compactAsync(options).finally(end)
  const text = `${plain(store.path)}: moved ${size(moved)}, freed ${size(freed)}, now ${size(store.nbytes)}`
  await write(given.json ? JSON.stringify({ moved, freed, nbytes: store.nbytes }) + '\n' : `${text}\n`)
  return EXIT.done
}

const CSV_OPTIONS = {
  delimiter: { type: 'string', short: 'd' },
  quote: { type: 'string' },
  'no-header': { type: 'boolean' },
  na: { type: 'string', multiple: true },
  replace: { type: 'boolean' },
} as const

export const IMPORT: Spec = {
  args: ['STORE', 'FILE'],
  options: {
    ...CSV_OPTIONS,
    name: { type: 'string' },
    type: { type: 'string', multiple: true, short: 't' },
    skip: { type: 'string' },
    'check-names': { type: 'boolean' },
  },
  help: `reads a CSV file into a data frame, or a .npy file into an array; makes the store if there is none

FILE ends in .csv, .tsv (fields between tabs) or .npy.
  --name NAME    in the store; default: the file's name without its ending
  --replace      replaces an object of that name
  -d, --delimiter C   between fields; default ',' or a tab for .tsv
  --quote C      around fields; default '"'; an empty one: none
  --no-header    the first record is data
  -t, --type COLUMN=TYPE   logical, integer, numeric, complex, character or skip; may be repeated
  --na TEXT      means NA; may be repeated; default NA
  --skip N       lines left out at the beginning
  --check-names  makes the columns' names syntactic ones of R
  --json         prints JSON`,
}

function delimiterOf(given: Given, file: string): string {
  const mark = given.text('delimiter') ?? (extname(file).toLowerCase() === '.tsv' ? '\t' : ',')
  return mark === '\\t' ? '\t' : mark
}

/** csv or npy, by the file's name. */
function formatOf(file: string): 'csv' | 'npy' {
  const ending = extname(file).toLowerCase()
  if (ending === '.npy') return 'npy'
  if (['.csv', '.tsv', '.txt'].includes(ending)) return 'csv'
  throw new UsageError(`'${file}' ends in none of .csv, .tsv, .txt and .npy`)
}

function parseTypes(list: readonly string[]): Record<string, CsvType | null> {
  const types = list.map((text): [string, CsvType | null] => {
    const at = text.lastIndexOf('=')
    if (at <= 0) throw new UsageError(`--type takes COLUMN=TYPE, not '${text}'`)
    const type = text.slice(at + 1)
    return [text.slice(0, at), type === 'skip' ? null : (type as CsvType)]
  })
  return Object.fromEntries(types)
}

export async function importFile(store: Store, given: Given, signal: AbortSignal): Promise<number> {
  const file = given.args[1] as string
  const format = formatOf(file)
  const name = given.text('name') ?? basename(file, extname(file))
  const { onProgress, end } = progressLine('import')
  const common = { name, replace: given.flag('replace'), signal, ...(onProgress && { onProgress }) }
  if (format === 'npy') {
    const array = await store.importNpy(file, common).finally(end)
    await store.sync()
    const facts = { name, type: array.type, length: array.length, dim: array.dim }
    await write(given.json ? JSON.stringify(facts) + '\n' : `${plain(name)}: ${String(array)}\n`)
    return EXIT.done
  }
  const quote = given.text('quote')
  const skip = given.count('skip')
  const na = given.texts('na')
  const options: ImportCsvOptions = {
    ...common,
    delimiter: delimiterOf(given, file),
    header: !given.flag('no-header'),
    checkNames: given.flag('check-names'),
    types: parseTypes(given.texts('type')),
    ...(quote !== undefined && { quote: quote === '' ? null : quote }),
    ...(skip !== undefined && { skip }),
    ...(na.length > 0 && { na }),
  }
  const { rows, nbytes, columns } = await store.importCsv(file, options).finally(end)
  await store.sync()
  if (given.json) {
    await write(JSON.stringify({ name, rows, nbytes, columns }) + '\n')
    return EXIT.done
  }
  await write(`${plain(name)}: ${rows} rows of ${columns.length} columns from ${size(nbytes)}\n`)
  const lines = columns.map(({ name: column, type, naCount, whyText: why }) => [
    plain(column),
    type,
    String(naCount),
    why === null ? '' : `line ${why.line}: ${plain(why.text)}`,
  ])
  await writeLines(table(['column', 'type', 'NA', 'text because of'], lines, [2]))
  return EXIT.done
}

export const EXPORT: Spec = {
  args: ['STORE', 'NAME', 'FILE'],
  options: {
    ...CSV_OPTIONS,
    'row-names': { type: 'boolean' },
    crlf: { type: 'boolean' },
    bom: { type: 'boolean' },
  },
  help: `writes a data frame as CSV, or a vector, matrix or array as .npy

FILE ends in .csv, .tsv (fields between tabs) or .npy.
  --replace      replaces a file that is there
  -d, --delimiter C   between fields; default ',' or a tab for .tsv
  --quote C      around text that needs it; default '"'
  --no-header    without the columns' names
  --row-names    the rows' names, or their numbers, come first
  --na TEXT      stands for NA; default NA
  --crlf         ends lines with CR LF
  --bom          begins with a byte order mark
  --json         prints JSON`,
}

export async function exportFile(store: Store, given: Given, signal: AbortSignal): Promise<number> {
  const [, name, file] = given.args as [string, string, string]
  const format = formatOf(file)
  const object = wanted(store, name)
  const { onProgress, end } = progressLine('export')
  const common = { replace: given.flag('replace'), signal, ...(onProgress && { onProgress }) }
  let nbytes: number
  if (format === 'npy') {
    if (!isVector(object)) throw new UsageError(`'${name}' is no vector, matrix or array: write it as .csv`)
    nbytes = (await (object as Vector).exportNpy(file, common).finally(end)).nbytes
  } else {
    if (!isFrame(object)) throw new UsageError(`'${name}' is no data frame: write it as .npy`)
    const quote = given.text('quote')
    const na = given.texts('na').at(-1)
    const style = {
      ...common,
      delimiter: delimiterOf(given, file),
      header: !given.flag('no-header'),
      rowNames: given.flag('row-names'),
      crlf: given.flag('crlf'),
      bom: given.flag('bom'),
      ...(quote !== undefined && { quote }),
      ...(na !== undefined && { na }),
    }
    nbytes = (await object.exportCsv(file, style).finally(end)).nbytes
  }
  const facts = { name, path: file, nbytes }
  await write(given.json ? JSON.stringify(facts) + '\n' : `${plain(file)}: ${size(nbytes)}\n`)
  return EXIT.done
}
