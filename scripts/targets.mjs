// The platforms that get a package with the addon, and how an addon shows which one it is for. The list is `napi.targets` in
// package.json; what is known here besides is how each target is spelt elsewhere.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
export const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'))

/** The newest glibc an addon may ask for: RHEL 7's, and what Rust's own Linux targets promise. */
export const GLIBC_FLOOR = [2, 17]

const ELF = { x64: 0x3e, arm64: 0xb7 }
const MACH_O = { x64: 0x0100_0007, arm64: 0x0100_000c }

/** What there is to know of a target triple: `platform` is the name of its package behind "rfmalloc-". */
export function targetOf(triple) {
  const cpu = triple.startsWith('x86_64-') ? 'x64' : 'arm64'
  const libc = /-linux-(gnu|musl)$/.exec(triple)?.[1]
  const os = libc === undefined ? 'darwin' : 'linux'
  const platform = [os, cpu, libc].filter(Boolean).join('-')
  return { triple, os, cpu, libc, platform, addon: `${manifest.napi.binaryName}.${platform}.node` }
}

export const targets = manifest.napi.targets.map(targetOf)

/** The target of this machine; its libc is the one that this Node was built for. */
export function hostTarget() {
  const glibc = process.report.getReport().header.glibcVersionRuntime
  const libc = process.platform === 'linux' ? (glibc === undefined ? '-musl' : '-gnu') : ''
  const platform = `${process.platform}-${process.arch}${libc}`
  return targets.find(target => target.platform === platform)
}

/** The newest version of glibc that an addon's bytes ask for, as [2, 17]; nothing where it asks for none. */
export function glibcOf(bytes) {
  const versions = [...bytes.toString('latin1').matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, a, b]) => [+a, +b])
  return versions.sort(byVersion).at(-1)
}

export const byVersion = (a, b) => a[0] - b[0] || a[1] - b[1]

/** Why these bytes are no addon for a target; empty if they are one. */
export function complaintsAbout(bytes, target) {
  const complaints = []
  if (bytes.length < 64) return [`${target.addon} is no addon: ${bytes.length} bytes`]
  const machine =
    target.os === 'linux'
      ? bytes.readUInt32BE(0) === 0x7f454c46 && bytes.readUInt16LE(18) === ELF[target.cpu]
      : bytes.readUInt32LE(0) === 0xfeedfacf && bytes.readUInt32LE(4) === MACH_O[target.cpu]
  if (!machine) complaints.push(`${target.addon} is not made for ${target.triple}`)
  if (!bytes.includes('napi_register_module_v1')) complaints.push(`${target.addon} is no Node-API addon`)
  const glibc = glibcOf(bytes)
  if (target.libc === 'musl' && glibc) complaints.push(`${target.addon} asks for glibc`)
  if (target.libc === 'gnu' && !glibc) complaints.push(`${target.addon} does not ask for glibc`)
  if (target.libc === 'gnu' && glibc && byVersion(glibc, GLIBC_FLOOR) > 0)
    complaints.push(`${target.addon} needs glibc ${glibc.join('.')}; the floor is ${GLIBC_FLOOR.join('.')}`)
  return complaints
}
