// Peers that the project does not depend on come into a folder that goes with the bench.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000 })
  if (status !== 0) throw new Error((error?.message ?? stderr ?? '').trim().split('\n').at(-1))
}

/** A folder below `folder` with this package, or why there is none. */
export function throwaway(folder, name) {
  const home = join(folder, `peer-${name.replaceAll('/', '-')}`)
  mkdirSync(home, { recursive: true })
  const install = names =>
    run('npm', ['install', '--prefix', home, '--no-save', '--no-audit', '--no-fund', ...names])
  try {
    install([name])
    // npm leaves a binary out, without a word, where it was made for a newer Node than this.
    const manifest = readFileSync(join(home, 'node_modules', name, 'package.json'), 'utf8')
    const system = `${name}-${process.platform}-${process.arch}`
    const binary = Object.entries(JSON.parse(manifest).optionalDependencies ?? {}).find(
      ([other]) => other.startsWith(system) && !other.endsWith('musl'),
    )
    if (binary) install([name, binary.join('@')])
    run(process.execPath, ['-e', 'require(process.argv[1])', join(home, 'node_modules', name)])
    return { home }
  } catch (error) {
    return { missing: `no ${name}: ${error.message}` }
  }
}
