// `npm run test:nodes`: the ava suite under the newer Nodes. Each comes as an npm package into a cache folder, exactly pinned;
// the tests run as `<that node> node_modules/ava/entrypoints/cli.mjs`. `npm run test:nodes -- 24` runs one of them,
// `npm run test:nodes -- 24 -- __test__/20-vector.mjs` one file.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cached } from './cached.mjs'
import { add, closingLine, run, zero } from './tally.mjs'

const versions = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' }

const root = fileURLToPath(new URL('..', import.meta.url))

/** The npm package `node` only picks one of these and links its binary; taking it directly needs no install script. */
function packageName() {
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
  return `${prefix}-${process.platform}-${process.arch}`
}

const words = process.argv.slice(2)
const end = words.includes('--') ? words.indexOf('--') : words.length
const chosen = words.slice(0, end)
const unknown = chosen.filter(major => !(major in versions))
if (unknown.length > 0) {
  console.error(`no Node ${unknown.join(', ')} here; there are: ${Object.keys(versions).join(', ')}`)
  process.exit(2)
}

const sum = zero()
const lines = []
for (const major of chosen.length > 0 ? chosen : Object.keys(versions)) {
  const node = join(cached(packageName(), versions[major]), 'bin/node')
  console.log(`\n== Node ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()} ==`)
  // The kill loop tests the kernel and the core, not Node: a few rounds are enough here.
  const env = { ...process.env, RFMALLOC_KILLS: process.env.RFMALLOC_KILLS ?? '20' }
  const args = ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...words.slice(end + 1)]
  const counts = await run('tap', node, args, { cwd: root, env })
  lines.push(`Node ${major} ${closingLine(counts)}, ${counts.skipped} skipped`)
  add(sum, counts)
}
console.log(`\n${lines.join('\n')}`)
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 ? 0 : 1
