// Builds the example addon with the C compiler alone: node examples/addon/build.mjs OUT.node [compiler flags...]
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)

/** The folder of node_api.h: from the npm package of Node-API's headers, else from Node's own distribution. */
function nodeHeaders() {
  try {
    return require('node-api-headers').include_dir
  } catch (cause) {
    const folder = join(dirname(process.execPath), '../include/node')
    if (existsSync(join(folder, 'node_api.h'))) return folder
    throw new Error('no node_api.h: npm install --save-dev node-api-headers', { cause })
  }
}

/** Compiles addon.c, or another source, to `out`. */
export function build(out, flags = [], source = fileURLToPath(new URL('addon.c', import.meta.url))) {
  const [cc, ...words] = (process.env.CC || 'cc').split(' ')
  const shared = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared']
  const include = [`-I${require('rfmalloc/include')}`, '-isystem', nodeHeaders()]
  const common = ['-std=c11', '-g', '-O2', '-fPIC', '-pthread', '-Wall', '-Wextra', '-Werror', '-pedantic']
  execFileSync(cc, [...words, ...common, ...shared, ...include, ...flags, source, '-o', out], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [out, ...flags] = process.argv.slice(2)
  if (out === undefined) throw new Error('usage: node build.mjs OUT.node [compiler flags...]')
  build(out, flags)
}
