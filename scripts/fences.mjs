// The fences of a page that are run, and what their comments promise to be printed. Used by readme.mjs, install/ and bundlers.mjs.
import { readFileSync } from 'node:fs'

/** What is run of a page, in order: ```js, ```c file=NAME and ```sh run. Each with its language, what it is for, and its text. */
export function fencesOf(page) {
  const all = [...readFileSync(page, 'utf8').matchAll(/^```(js|c file=(\S+)|sh run)\n([\s\S]*?)^```$/gm)]
  return all.map(([, kind, file, source]) => ({ kind: kind.split(' ')[0], file, source }))
}

/** The sources of a page's ```js fences. */
export function scriptsOf(page) {
  return fencesOf(page)
    .filter(fence => fence.kind === 'js')
    .map(fence => fence.source)
}

/** The values promised in a fence, in order; a remark in words promises nothing, nor does what follows a colon. */
export function promisedIn(source) {
  const comments = [...source.matchAll(/console\.log\(.*\) \/\/ (\[.*\]|-?[\d.]+|true|false|null)(?=$|:)/gm)]
  return comments.map(match => match[1])
}

/** The promised values that are no line of what was printed. */
export function notPrinted(source, stdout) {
  const lines = stdout.split('\n')
  return promisedIn(source).filter(value => !lines.includes(value))
}
