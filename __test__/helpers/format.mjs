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
const BODY_AT = 32 // in the slot
const BODY_BYTES = 48
const BODY_CHECKSUM_AT = 36 // u32, in the body

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

/**
 * Rewrites the first body of a slot by `change(body)` and makes its checksum right again: over the body's other bytes, then the slot's
 * id and generation.
 */
export function rewriteBody(bytes, index, change) {
  const slot = bytes.subarray(SLOTS_AT + index * SLOT_BYTES, SLOTS_AT + (index + 1) * SLOT_BYTES)
  const body = slot.subarray(BODY_AT, BODY_AT + BODY_BYTES)
  change(body)
  const covered = [
    body.subarray(0, BODY_CHECKSUM_AT),
    body.subarray(BODY_CHECKSUM_AT + 4),
    slot.subarray(0, 8),
  ]
  body.writeUInt32LE(crc32c(Buffer.concat(covered)), BODY_CHECKSUM_AT)
  return bytes
}
