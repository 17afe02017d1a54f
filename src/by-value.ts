/**
 * Objects by value: what serializeFmalloc writes of scratch stores and reads back. The header lists *nodes*, each naming only earlier ones, so an
 * object that stands in several places is written once, nothing can hold itself, and no depth overflows a stack. The payloads follow in
 * the order of the nodes, each from a multiple of 16 bytes on. What is read is checked, whatever the bytes hold.
 */
import { extrasOf } from './attributes.js'
import { build, discard, placeIn, type Place } from './create.js'
import { checkDim } from './dimensions.js'
import { CHARACTER, KIND, knownType, LENGTH_MAX, type Dtype } from './dtype.js'
import { fail } from './errors.js'
import { columnsOf } from './frame.js'
import { assembleFrame } from './frames.js'
import type { Handle } from './handle.js'
import type { Extras } from './labels.js'
import { buildList, isList } from './list.js'
import { native } from './native.js'
import type { Store } from './store.js'
import { readTexts, writeTexts } from './text.js'
import type { Stored } from './types.js'
import { isVector, partsOf, type Vector } from './vector.js'

const ALIGN = 16

/** One object, or the labels that belong to one. */
interface Node {
  readonly kind: 'vector' | 'matrix' | 'array' | 'labels' | 'list' | 'dataFrame'
  readonly type?: string
  readonly length?: number
  /** Bytes of the payload. */
  readonly nbytes?: number
  readonly dim?: readonly number[]
  readonly names?: number
  readonly dimnames?: readonly (number | null)[]
  readonly user?: readonly (readonly string[])[]
  readonly cells?: readonly (number | null)[]
  readonly columns?: readonly number[]
  readonly rowNames?: number
}

/** Where a payload goes. */
interface Payload {
  readonly nbytes: number
  readonly write: (bytes: Uint8Array, at: number) => void
}

export interface Encoded {
  readonly nodes: readonly Node[]
  /** Bytes of all payloads. */
  readonly nbytes: number
  readonly write: (bytes: Uint8Array, at: number) => void
}

// ---- writing

/** The nodes and payloads of an object and everything in it; the object itself comes last. */
export function encodeValue(root: Stored): Encoded {
  const nodes: Node[] = []
  const payloads: Payload[] = []
  const known = new Map<object, number>()
  const add = (node: Node, payload?: Payload): number => {
    nodes.push(payload === undefined ? node : { ...node, nbytes: payload.nbytes })
    if (payload !== undefined) payloads.push(payload)
    return nodes.length - 1
  }
  const rest: Stored[] = [root]
  while (rest.length > 0) {
    const x = rest.at(-1) as Stored
    const missing = known.has(x) ? [] : partsIn(x).filter(part => !known.has(part))
    if (missing.length > 0) {
      rest.push(...new Set(missing))
      continue
    }
    rest.pop()
    if (!known.has(x)) known.set(x, encodeOne(x, known, add))
  }
  let total = 0
  for (const { nbytes } of payloads) total = align(total) + nbytes
  return { nodes, nbytes: total, write: (bytes, from) => writeAll(payloads, bytes, from) }
}

function writeAll(payloads: readonly Payload[], bytes: Uint8Array, from: number): void {
  let at = 0
  for (const { nbytes, write } of payloads) {
    at = align(at)
    if (nbytes > 0) write(bytes, from + at)
    at += nbytes
  }
}

function align(n: number): number {
  return Math.ceil(n / ALIGN) * ALIGN
}

/** What must be written before an object: what it holds. */
function partsIn(x: Stored): Stored[] {
  if (isVector(x)) return []
  return isList(x) ? Array.from(x).filter(item => item !== null) : [...columnsOf(x)]
}

type Add = (node: Node, payload?: Payload) => number

function encodeOne(x: Stored, known: ReadonlyMap<object, number>, add: Add): number {
  if (isVector(x)) return encodeVector(x, add)
  if (isList(x)) {
    const names = x.names === null ? undefined : encodeLabels(x.names.toArray(), add)
    const cells = Array.from(x, item => (item === null ? null : (known.get(item) as number)))
    return add({ kind: 'list', cells, ...(names !== undefined && { names }) })
  }
  const names = encodeLabels(x.columnNames, add)
  const rowNames = x.rowNames === null ? undefined : encodeLabels(x.rowNames.toArray(), add)
  const columns = columnsOf(x).map(column => known.get(column) as number)
  return add({ kind: 'dataFrame', columns, names, ...(rowNames !== undefined && { rowNames }) })
}

function encodeVector(v: Vector, add: Add): number {
  const { handle, start, length } = partsOf(v)
  const extras = extrasOf(v)
  const labels = (given: Extras['names']): number | null =>
    given === null || given === undefined ? null : encodeLabels(textsOf(given), add)
  const names = labels(extras?.names)
  const dimnames = extras?.dimnames?.map(labels)
  const node: Node = {
    kind: v.kind,
    type: v.type,
    length,
    ...(extras?.dim !== undefined && { dim: extras.dim }),
    ...(names !== null && { names }),
    ...(dimnames !== undefined && { dimnames }),
    ...(extras?.user !== undefined && { user: extras.user as string[][] }),
  }
  if (handle.dtype.code === CHARACTER) return add(node, textPayload(readTexts(handle, start, length)))
  const nbytes = length * handle.dtype.width
  const write = (bytes: Uint8Array, at: number): void =>
    native.exportRange(handle.token, start, length, payloadArray(handle.dtype, bytes, at, length))
  return add(node, { nbytes, write })
}

function textsOf(labels: NonNullable<Extras['names']>): readonly (string | null)[] {
  return isVector(labels) ? (labels as Vector<'character'>).toArray() : (labels as readonly (string | null)[])
}

function encodeLabels(texts: readonly (string | null)[], add: Add): number {
  return add({ kind: 'labels', length: texts.length }, textPayload(texts))
}

/** Text: for each string the bytes of its UTF-8 as an int32 (-1: NA), then the strings. */
function textPayload(texts: readonly (string | null)[]): Payload {
  const lengths = Int32Array.from(texts, text => (text === null ? -1 : Buffer.byteLength(text)))
  let nbytes = lengths.byteLength
  for (const length of lengths) nbytes += Math.max(0, length)
  const write = (bytes: Uint8Array, at: number): void => {
    new Int32Array(bytes.buffer, bytes.byteOffset + at, lengths.length).set(lengths)
    const rest = Buffer.from(
      bytes.buffer,
      bytes.byteOffset + at + lengths.byteLength,
      nbytes - lengths.byteLength,
    )
    let end = 0
    for (const text of texts) if (text !== null) end += rest.write(text, end)
  }
  return { nbytes, write }
}

function payloadArray(
  { array, lanes }: Dtype,
  bytes: Uint8Array,
  at: number,
  length: number,
): NodeJS.TypedArray {
  return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset + at, length * lanes)
}

// ---- reading

/** The object of these nodes as temporaries of the store. CORRUPT or TRUNCATED for nodes and payloads that do not fit together. */
export function decodeValue(store: Store, given: unknown, bytes: Uint8Array, payload: number): Stored {
  const nodes = checkNodes(given)
  const places = placesOf(nodes, bytes, payload)
  const place = placeIn(store, {}, false)
  const made: (Stored | readonly (string | null)[])[] = []
  const handles: Handle[] = []
  try {
    for (const [i, node] of nodes.entries()) made.push(decodeOne(node, places[i] as number))
  } catch (e) {
    for (const handle of handles.reverse()) discard(handle)
    throw e
  }
  const root = made.at(-1)
  return root === undefined || Array.isArray(root) ? corrupt('there is no object in it') : (root as Stored)

  function decodeOne(node: Node, at: number): Stored | readonly (string | null)[] {
    if (node.kind === 'labels') return textsAt(bytes, at, node)
    if (node.kind === 'list') {
      const names = labelsAt(node.names)
      const cells = (node.cells ?? []).map(cell => (cell === null ? null : objectAt(cell)))
      return buildList(place, cells, names ?? null, 'unserializeFmalloc')
    }
    if (node.kind === 'dataFrame') {
      const columns = (node.columns ?? []).map(objectAt)
      const names = labelsAt(node.names) ?? []
      if (names.length !== columns.length) corrupt('columns and their names differ in number')
      const entries = columns.map((column, k) => [names[k] as string, column] as const)
      return assembleFrame(place, entries, labelsAt(node.rowNames) ?? null, 'unserializeFmalloc')
    }
    return decodeVector(node, at)
  }

  function objectAt(i: number): Stored {
    const x = made[i]
    return x === undefined || Array.isArray(x)
      ? corrupt('it names an object that is not there')
      : (x as Stored)
  }

  function labelsAt(i: number | undefined | null): readonly (string | null)[] | undefined {
    if (i === undefined || i === null) return undefined
    const x = made[i]
    return Array.isArray(x)
      ? (x as readonly (string | null)[])
      : corrupt('it names labels that are not there')
  }

  function decodeVector(node: Node, at: number): Vector {
    const dtype = knownType(node.type) as Dtype
    const length = node.length as number
    const extras: Extras = {
      ...(node.dim !== undefined && {
        dim: checkDim(node.dim, 'unserializeFmalloc'),
        class: node.kind === 'matrix' ? KIND.matrix : KIND.array,
      }),
      ...(node.names !== undefined && { names: labelsAt(node.names) ?? null }),
      ...(node.dimnames !== undefined && { dimnames: node.dimnames.map(k => labelsAt(k) ?? null) }),
      ...(node.user !== undefined && {
        user: node.user.map(([key, json]): [string, string?] => [key as string, json as string]),
      }),
    }
    const fill = (handle: Handle): void => {
      handles.push(handle)
      if (dtype.code === CHARACTER) writeTexts(handle, 0, textsAt(bytes, at, node))
      else if (length > 0) importBits(handle, dtype, bytes, at, length)
    }
    return build(
      place as Place,
      dtype,
      length,
      false,
      fill,
      Object.keys(extras).length > 0 ? extras : undefined,
    )
  }
}

function importBits(handle: Handle, dtype: Dtype, bytes: Uint8Array, at: number, length: number): void {
  // The caller's bytes may lie at any offset; a typed array needs an aligned one.
  const aligned = (bytes.byteOffset + at) % dtype.width === 0 || dtype.width === 1
  const source = aligned ? bytes : bytes.slice(at, at + length * dtype.width)
  native.importArray(handle.token, 0, payloadArray(dtype, source, aligned ? at : 0, length), false)
}

function textsAt(bytes: Uint8Array, at: number, node: Node): (string | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, node.nbytes)
  const length = node.length as number
  const out = new Array<string | null>(length)
  let end = 4 * length
  for (let i = 0; i < length; i++) {
    const nbytes = view.getInt32(4 * i, true)
    if (nbytes < -1 || end + Math.max(0, nbytes) > view.byteLength)
      corrupt('a string does not lie in its payload')
    out[i] = nbytes < 0 ? null : decodeText(new Uint8Array(view.buffer, view.byteOffset + end, nbytes))
    end += Math.max(0, nbytes)
  }
  if (end !== view.byteLength) corrupt('a payload is longer than its strings')
  return out
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return corrupt('a string is no UTF-8')
  }
}

function corrupt(what: string): never {
  return fail('CORRUPT', `unserializeFmalloc: the header makes no sense: ${what}`)
}

// ---- checks

const KINDS: readonly unknown[] = ['vector', 'matrix', 'array', 'labels', 'list', 'dataFrame']

function checkNodes(given: unknown): readonly Node[] {
  if (!Array.isArray(given)) return corrupt('it has no nodes')
  return given.map((node: unknown, i) => checkNode(node, i))
}

function checkNode(x: unknown, i: number): Node {
  if (typeof x !== 'object' || x === null) return corrupt(`node ${i} is none`)
  const node = x as Record<string, unknown>
  const { kind } = node
  const isEarlier = (k: unknown): boolean => isCount(k, i - 1)
  const isEarlierOrNull = (k: unknown): boolean => k === null || isEarlier(k)
  const all = (list: unknown, fits: (k: unknown) => boolean): boolean =>
    Array.isArray(list) && list.every(fits)
  const may = (key: string, fits: (x: unknown) => boolean): boolean =>
    node[key] === undefined || fits(node[key])
  const holds =
    KINDS.includes(kind) &&
    may('names', isEarlier) &&
    may('rowNames', isEarlier) &&
    may('dimnames', list => all(list, isEarlierOrNull)) &&
    may('dim', list => all(list, e => isCount(e, LENGTH_MAX))) &&
    may('user', list => all(list, isAttribute))
  const fits =
    kind === 'list'
      ? all(node['cells'], isEarlierOrNull)
      : kind === 'dataFrame'
        ? all(node['columns'], isEarlier) && isEarlier(node['names'])
        : isSized(node)
  return holds && fits ? (x as Node) : corrupt(`node ${i} has wrong parts`)
}

/** Key and JSON text. */
function isAttribute(x: unknown): boolean {
  if (!Array.isArray(x) || x.length !== 2 || !x.every(text => typeof text === 'string')) return false
  try {
    JSON.parse(x[1] as string)
    return true
  } catch {
    return false
  }
}

/** Length and bytes of a vector or of labels fit together. */
function isSized(node: Record<string, unknown>): boolean {
  const { kind, length, nbytes } = node
  if (!isCount(length, LENGTH_MAX) || !isCount(nbytes, Number.MAX_SAFE_INTEGER)) return false
  if (kind === 'labels') return (nbytes as number) >= 4 * (length as number)
  const dtype = knownType(node['type'])
  const isShaped = kind === 'matrix' || kind === 'array'
  if (dtype === undefined || isShaped !== (node['dim'] !== undefined)) return false
  if (dtype.code === CHARACTER) return (nbytes as number) >= 4 * (length as number)
  return nbytes === (length as number) * dtype.width
}

function isCount(x: unknown, max: number): boolean {
  return typeof x === 'number' && Number.isInteger(x) && x >= 0 && x <= max
}

/** Where each payload starts. */
function placesOf(nodes: readonly Node[], bytes: Uint8Array, payload: number): number[] {
  let end = 0
  const places = nodes.map(({ nbytes }) => {
    if (nbytes === undefined) return 0
    const at = align(end)
    end = at + nbytes
    return payload + at
  })
  const there = bytes.length - payload
  if (there !== end) {
    fail(
      there < end ? 'TRUNCATED' : 'CORRUPT',
      `unserializeFmalloc: ${end} payload bytes expected, ${there} are there`,
    )
  }
  return places
}
