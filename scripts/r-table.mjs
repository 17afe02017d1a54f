// Writes docs/r-to-js.md from the table that the tests hold against the package: node scripts/r-table.mjs
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BASE, camelCase, DROPPED, LATER, PACKAGE, words } from '../__test__/helpers/r-functions.mjs'

export const page = fileURLToPath(new URL('../docs/r-to-js.md', import.meta.url))

const code = text => `\`${text.replaceAll('|', '\\|')}\``
const list = names => names.map(code).join(', ')

function table(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** The page's text. */
export function render() {
  const base = Object.entries(BASE).map(([r, ours]) => [code(r), list(words(ours))])
  const later = Object.entries(LATER).map(([work, names]) => [work, list(words(names))])
  const dropped = Object.entries(DROPPED).map(([r, ours]) => [code(r), list(words(ours))])
  return `# From R to JavaScript

Made by \`node scripts/r-table.mjs\` from the table that the tests hold against the package.

## The package's own functions

R's name in camelCase, with R's arguments in R's order; an options object may stand at the first optional one.

${table(
  ['R', 'here'],
  PACKAGE.map(name => [code(name), code(camelCase(name))]),
)}

## Base R on the package's vectors

A name with a dot is a member of a class; the others are functions, which take the receiver first. What is listed and not there
yet throws \`ERR_FMALLOC_UNSUPPORTED\`.

${table(['R', 'here'], base)}

## Elsewhere

${table(['R', 'here'], dropped)}

## Later

${table(['work', 'functions'], later)}

## What differs on purpose

- Positions count from 0; \`rIndex(…)\` is R's own subscript. \`which\` and \`fmallocSet\` count from 0, too.
- A JavaScript number is R's double; \`int(1)\` is \`1L\`, an \`Int32Array\` an integer vector.
- Handles alias: writing through one is seen by all. \`copy()\` and \`replace()\` have R's value semantics.
- Results of operations are temporaries until they are kept; R's stay for ever.
- Text is UTF-8 and compares by code point. R's other encodings are gone.
- A missing file is never made by restoring a reference, a foreign one never overwritten, a second process kept out by a lock.
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(page, render())
