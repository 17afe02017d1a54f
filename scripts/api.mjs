// `npm run docs:api`: the API reference from the sources' TSDoc, by TypeDoc, into artifacts/api/, which git ignores. A link that leads nowhere and a
// public item without a sentence fail. `-- --check` writes nothing. TypeDoc reads with a TypeScript of its own, since it does not know ours yet; both
// come from npm at one version, into a cache folder. Ends with "N passed, M failed".
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './cached.mjs'
import { closingLine } from './tally.mjs'
import { root } from './targets.mjs'

const out = join(root, 'artifacts/api')
const typedoc = cached('typedoc', '0.28.20', { beside: ['typescript@6.0.3'] })
/** Fields of objects that are written out in place: the sentence of the call, or of what has it, says what they are. */
const told = [
  'isFmallocError.__type.code',
  'captureWarnings.__type.value',
  'captureWarnings.__type.warnings',
  ...['Vector', 'Matrix', 'NdArray'].map(name => `${name}.exportNpy.__type.nbytes`),
  'DataFrame.exportCsv.__type.nbytes',
  ...['row', 'line', 'text'].map(field => `CsvColumn.whyText.__type.${field}`),
  ...['compact', 'compactAsync'].flatMap(name => [
    `Store.${name}.__type.moved`,
    `Store.${name}.__type.freed`,
  ]),
  'Store.toJSON.__type.path',
  'Store.toJSON.__type.uuid',
]

const isCheck = process.argv.includes('--check')
const options = [
  ['--entryPoints', join(root, 'index.ts')],
  ['--tsconfig', join(root, 'tsconfig.json')],
  ['--name', 'rfmalloc'],
  ['--readme', 'none'],
  ['--excludePrivate', '--excludeProtected', '--disableSources'],
  ['--validation.notDocumented', '--validation.invalidLink'],
  // Helper types in signatures are shown where they are used, and no names of the package.
  ['--validation.notExported', 'false'],
  ['--treatWarningsAsErrors', '--treatValidationWarningsAsErrors'],
  told.flatMap(name => ['--intentionallyNotDocumented', name]),
  isCheck ? ['--emit', 'none'] : ['--out', out],
].flat()

if (!isCheck) rmSync(out, { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [join(typedoc, 'bin/typedoc'), ...options], {
  cwd: root,
  stdio: 'inherit',
})
console.log(closingLine({ passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 }))
process.exitCode = status === 0 ? 0 : 1
