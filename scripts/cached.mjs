// Programs that only some tests need, each an npm package at one exact version, in a cache folder: other Nodes, an older TypeScript,
// bundlers. As dependencies they would be installed by everybody, and some would take each other's place in node_modules/.bin.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../node_modules/.cache/packages', import.meta.url))

/**
 * Installs a package into the cache unless it is there; its folder. `foreign` is for one that says it is for another machine. Install
 * scripts never run. `beside` are packages that it wants as peers, each with its version.
 */
export function cached(name, version, { foreign = false, beside = [] } = {}) {
  const home = join(cache, `${name.replace('/', '+')}@${version}`)
  const folder = join(home, 'node_modules', name)
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'package.json'), '{ "private": true }\n')
    const options = ['--no-save', '--no-package-lock', '--ignore-scripts', ...(foreign ? ['--force'] : [])]
    execFileSync('npm', ['install', ...options, `${name}@${version}`, ...beside], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return folder
}
