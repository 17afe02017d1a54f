// README's tour in the four ways people load a package: as a module, with require, and as TypeScript compiled to either.
import { join } from 'node:path'
import { scriptsOf } from '../fences.mjs'
import { root } from '../targets.mjs'

/** CommonJS has neither top-level await nor import.meta; the rest of a fence stays as it is. */
function inMain(body) {
  return `async function main() {\n${body.replaceAll('new URL(import.meta.url)', '__filename')}}\nvoid main()\n`
}

function asCommonJs(source, typed) {
  const imports = source.split('\n').filter(line => line.startsWith('import '))
  const body = source.replace(/^import .*\n/gm, '')
  const heads = typed
    ? imports
    : imports.map(line => line.replace(/^import (\{.*\}) from (.*)$/, 'const $1 = require($2)'))
  return `${heads.join('\n')}\n${inMain(body)}`
}

const fences = scriptsOf(join(root, 'README.md'))

/** For each way the extension of its sources, of the scripts that run, and the sources. */
export const ways = {
  'ES module': { extension: 'mjs', runs: 'mjs', sources: fences },
  CommonJS: { extension: 'cjs', runs: 'cjs', sources: fences.map(fence => asCommonJs(fence, false)) },
  'TypeScript, ES module': { extension: 'mts', runs: 'mjs', sources: fences },
  'TypeScript, CommonJS': {
    extension: 'cts',
    runs: 'cjs',
    sources: fences.map(fence => asCommonJs(fence, true)),
  },
}

/** As strict as a user can be who has nothing newer than ES2022. */
export const tsconfig = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022'],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    outDir: 'out',
    rootDir: '.',
  },
  include: ['*.mts', '*.cts'],
}
