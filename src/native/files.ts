/**
 * The binding where files of other formats are read and written: CSV and NumPy. Types only. What a thread reads travels in a parcel, which
 * the event loop then takes into a store. Functions marked [facts] answer in the mailbox: see ../native.ts.
 */
import type { Control } from './compute.js'

/** Columns on their way from the thread that reads them; opaque. */
export interface CsvParcel {
  readonly parcel: unique symbol
}

/** An array on its way from the thread that reads it; opaque. */
export interface NpyParcel {
  readonly array: unique symbol
}

/** How a CSV file is read; a type code of -1 leaves the column out. */
export interface NativeCsvOptions {
  delimiter: string
  quote?: string
  header: boolean
  names?: string[]
  checkNames: boolean
  typeNames: string[]
  typeCodes: number[]
  na: string[]
  skip: number
}

/** How a CSV file is written. */
export interface NativeCsvStyle {
  delimiter: string
  quote: string
  quoteAll: boolean
  header: boolean
  rowNames: boolean
  na: string
  crlf: boolean
  bom: boolean
  replace: boolean
}

/** What was read; of a column `row` is -1 unless `text` says why it is text. */
export interface NativeCsvReport {
  rows: number
  nbytes: number
  columns: {
    name: string
    type: 'logical' | 'integer' | 'numeric' | 'complex' | 'character'
    nas: number
    row: number
    line: number
    text: string
  }[]
}

/** Functions of CSV and npy files. */
export interface NativeFiles {
  /** What csvRead fills and csvFrame takes. */
  csvParcel(): CsvParcel
  csvRead(
    handle: number,
    path: string,
    o: NativeCsvOptions,
    parcel: CsvParcel,
    control: Control,
  ): Promise<void>
  /** A temporary frame of what was read. [facts] */
  csvFrame(handle: number, parcel: CsvParcel): NativeCsvReport
  /** Resolves with the bytes written; nothing: it was stopped. */
  csvWrite(
    token: number,
    path: string,
    style: NativeCsvStyle,
    control: Control,
  ): Promise<number | null | undefined>

  /** What npyRead fills and npyArray takes. */
  npyParcel(): NpyParcel
  npyRead(handle: number, path: string, parcel: NpyParcel, control: Control): Promise<void>
  /** A temporary of what was read. [facts] */
  npyArray(handle: number, parcel: NpyParcel): void
  /** Resolves with the bytes written; nothing: it was stopped. */
  npyWrite(
    token: number,
    path: string,
    replace: boolean,
    control: Control,
  ): Promise<number | null | undefined>
}
