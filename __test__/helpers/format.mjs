// The few places of the file format that the damage tests aim at; docs/FORMAT.md is the authority.

import { crc32c } from './crc32c.mjs'

export const SUPERBLOCKS = [0, 16384] // the two copies, 512 bytes each
export const SUPERBLOCK_BYTES = 512
export const VERSION_AT = 16 // u32
export const CHECKSUM_AT = 508 // u32, over bytes 0..507
export const SEGMENT_AT = 65536 // the first catalog segment
export const SEGMENT_HEADER_BYTES = 4096
export const FIRST_SLOTS = 512
export const STATE_BYTES = 8
export const SLOT_BYTES = 128

export const STATES_AT = SEGMENT_AT + SEGMENT_HEADER_BYTES
export const SLOTS_AT = STATES_AT + FIRST_SLOTS * STATE_BYTES
export const SEGMENT_END = SLOTS_AT + FIRST_SLOTS * SLOT_BYTES

/** Rewrites both superblock copies in `bytes` by `change(copy)` and makes their checksums right again. */
export function rewriteSuperblocks(bytes, change) {
  for (const at of SUPERBLOCKS) {
    const copy = bytes.subarray(at, at + SUPERBLOCK_BYTES)
    change(copy)
    copy.writeUInt32LE(crc32c(copy.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
  }
  return bytes
}
