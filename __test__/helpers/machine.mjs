// A machine crash, played on a copy: the superblocks of the copy name another boot of the machine, so that the next open trusts only what
// barriers made durable. (The pages of the copy are those of the page cache; what a crash may leave of them is the Rust tests' business.)

import fs from 'node:fs'
import { fileWith } from './files.mjs'
import { rewriteSuperblocks } from './format.mjs'

const BOOT_ID_AT = 120 // 16 bytes, in the superblock

/** A copy of the store file as it stands, open or not, as after a crash of the machine; its path. */
export function crashed(t, file) {
  return fileWith(
    t,
    rewriteSuperblocks(fs.readFileSync(file), copy => copy.fill(0xb7, BOOT_ID_AT, BOOT_ID_AT + 16)),
  )
}
