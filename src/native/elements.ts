/**
 * The binding where elements are reached: text, subscripts, and ranges that are filled, copied, compared and advised. Types only. Positions
 * and counts are elements unless they say bytes. Functions marked [facts] answer in the mailbox: see ../native.ts.
 */

/** An index; `what`: 0 everything, 1 nothing, 2 numbers, 3 a mask (32 bits each), 4 names, 5 a vector. */
export interface NativeIndex {
  what: number
  /** 0 positions from 0, 1 R's, 2 what is left out. */
  style: number
  numbers?: Float64Array | Int32Array
  names?: (string | null)[]
  token?: number
}

/** Strings read from a vector. */
export interface NativeText {
  count: number
  /** Separated by NUL; or, with `lengths`, one after the other. */
  text: string
  /** Positions of missing strings. */
  na: Uint32Array
  lengths?: Int32Array | null
}

/** Functions of elements. */
export interface NativeElements {
  /** Writes strings separated by NUL; bit i of `na` says that string i is missing. False, and nothing written: some contain NUL. */
  textWrite(token: number, start: number, text: string, n: number, na: Uint32Array): boolean
  /** Strings one after the other, by their lengths; -1: missing. */
  textWriteCut(token: number, start: number, text: string, lengths: Int32Array): void
  textSet(token: number, i: number, text: string | null): void
  textGet(token: number, i: number): string | null | undefined
  textFill(token: number, start: number, end: number, text: string | null): void
  /** At most `n` strings, and no more once they have `mostNbytes` bytes. */
  textRead(token: number, start: number, n: number, mostNbytes: number): NativeText

  /** One index, a matrix of cells included, or one for each dimension. [facts] */
  selectFrom(handle: number, token: number, indices: readonly NativeIndex[], drop: boolean): void
  /** The position of the one element that the indices name. */
  elementAt(handle: number, token: number, indices: readonly NativeIndex[]): number
  /** Assigns to a copy; `values`: -1 is NULL. [facts] Warnings. */
  replaceIn(handle: number, token: number, indices: readonly NativeIndex[], values: number): number
  /** Writes through. Warnings. */
  setAt(
    handle: number,
    token: number,
    indices: readonly NativeIndex[],
    values: number,
    exact: boolean,
  ): number
  /** The same in a part of the vector, by one index; `names`: a token, -1 is none. */
  setInPart(
    handle: number,
    token: number,
    part: { start: number; len: number; dim: readonly number[]; names: number },
    index: NativeIndex,
    values: number,
    exact: boolean,
  ): number
  /** [facts] Warnings. */
  convertTo(handle: number, token: number, type: number): number
  /** [facts] */
  combineAll(handle: number, tokens: Int32Array): void

  fill(token: number, start: number, end: number, pattern: Uint8Array): void
  copyRange(dst: number, dstIdx: number, src: number, srcStart: number, n: number): number
  importArray(dst: number, dstIdx: number, src: ArrayBufferView, exact: boolean): number
  /** The transpose of nrow * ncol elements of `src`, to the start of `dst`. */
  transposeRange(dst: number, src: number, srcStart: number, nrow: number, ncol: number): void
  /** `n` elements of `src`, `step` apart, to the start of `dst`. */
  copyEvery(dst: number, src: number, srcStart: number, step: number, n: number): void
  exportRange(src: number, start: number, n: number, target: ArrayBufferView): void
  /** Throws unless elements read, or about to be written, without a call are the file's. */
  checkWhole(token: number, start: number, n: number, toWrite: boolean): void
  equals(a: number, aStart: number, b: number, bStart: number, n: number): boolean
  advise(token: number, startByte: number, endByte: number, advice: string): void
  prefetch(token: number, startByte: number, endByte: number): Promise<void>
  /** [facts] */
  mmapOpen(path: string, type: number, len: number | null, readOnly: boolean): void
  mmapPath(token: number): string
}
