// `node scripts/packages.mjs ARTIFACTS INTO`: makes every package that a release publishes, in the folder INTO, and refuses where one is
// missing or wrong. ARTIFACTS has the six stripped addons; INTO becomes the main package, and INTO/npm/* the platforms' packages, made by
// napi-rs's own commands. The repository itself stays as it is.
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withAddresses } from './links.mjs'
import { noticesFor } from './notices.mjs'
import { MOST_NBYTES } from './symbols.mjs'
import { complaintsAbout, manifest, root, targets } from './targets.mjs'

const LICENSES = ['LICENSE-MIT', 'LICENSE-APACHE']
const NOTICES = 'THIRD-PARTY.md'
const PAGES = ['README.md', 'CHANGELOG.md']
/** What only work on the repository needs. */
const NOT_PUBLISHED = ['allowScripts', 'ava', 'devDependencies', 'napi', 'overrides', 'prettier', 'scripts']

const read = file => JSON.parse(readFileSync(file, 'utf8'))
const write = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)

/** Runs one of napi-rs's commands on the packages; what it says is shown where it refuses. */
function napi(into, ...args) {
  const cli = join(root, 'node_modules/@napi-rs/cli/dist/cli.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args, '--cwd', into], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`napi ${args.join(' ')}\n${stdout}${stderr}`)
}

/** Source maps are as large as all the rest: they stay here, and so does each file's last line, which asks for its own. */
function forgetMaps(dist) {
  for (const file of readdirSync(dist, { recursive: true })) {
    const path = join(dist, file)
    if (file.endsWith('.map')) rmSync(path)
    else if (/\.c?js$/.test(file))
      writeFileSync(path, readFileSync(path, 'utf8').replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'))
  }
}

/** Makes the packages in `into`, which is emptied first. */
export function stage(artifacts, into) {
  rmSync(into, { recursive: true, force: true })
  const wanted = manifest.files.filter(file => !file.startsWith('!'))
  for (const file of ['package.json', ...PAGES, ...LICENSES, ...wanted]) {
    const from = join(root, file)
    if (!existsSync(from)) throw new Error(`${file} of package.json's "files" is not there: npm run build`)
    mkdirSync(dirname(join(into, file)), { recursive: true })
    cpSync(from, join(into, file), { recursive: true })
  }
  for (const page of PAGES) {
    const shipped = file => existsSync(join(into, file))
    writeFileSync(join(into, page), withAddresses(readFileSync(join(root, page), 'utf8'), manifest, shipped))
  }
  forgetMaps(join(into, 'dist'))
  mkdirSync(join(into, 'npm'))
  napi(into, 'create-npm-dirs')
  napi(into, 'artifacts', '--output-dir', resolve(artifacts))
  // Pins the platforms' packages to this very version, as optional dependencies.
  napi(into, 'pre-publish', '--tag-style', 'npm', '--skip-optional-publish', '--no-gh-release')
  for (const { triple, platform, addon } of targets) {
    rmSync(join(into, addon))
    writeFileSync(join(into, 'npm', platform, NOTICES), noticesFor(triple))
    for (const license of LICENSES) copyFileSync(join(root, license), join(into, 'npm', platform, license))
    const file = join(into, 'npm', platform, 'package.json')
    const own = read(file)
    write(file, {
      ...own,
      description: `The addon of ${manifest.name} for ${platform}`,
      files: [...own.files, 'LICENSE-*', NOTICES],
    })
  }
  const main = read(join(into, 'package.json'))
  for (const key of NOT_PUBLISHED) delete main[key]
  write(join(into, 'package.json'), main)
}

/** Everything that forbids publishing what is in `into`, in words. */
export function complaints(into) {
  const { name, version } = manifest
  const main = read(join(into, 'package.json'))
  const found = []
  const wanted = Object.fromEntries(targets.map(({ platform }) => [`${name}-${platform}`, version]))
  for (const [dependency, pinned] of Object.entries(wanted))
    if (main.optionalDependencies?.[dependency] !== pinned)
      found.push(`${name} does not depend on ${dependency} at exactly ${pinned}`)
  for (const dependency of Object.keys(main.optionalDependencies ?? {}))
    if (!(dependency in wanted)) found.push(`${name} depends on ${dependency}, which is no target`)

  for (const target of targets) {
    const folder = join(into, 'npm', target.platform)
    const addon = join(folder, target.addon)
    if (!existsSync(addon)) {
      found.push(`${target.platform} is missing`)
      continue
    }
    const own = read(join(folder, 'package.json'))
    const libc = { gnu: 'glibc', musl: 'musl' }[target.libc]
    const says = [own.name, own.version, own.main, own.os, own.cpu, own.libc].flat().join()
    const should = [`${name}-${target.platform}`, version, target.addon, target.os, target.cpu, libc].join()
    if (says !== should) found.push(`${folder}/package.json says ${says}, and should say ${should}`)
    const bytes = readFileSync(addon)
    found.push(...complaintsAbout(bytes, target))
    if (bytes.length >= MOST_NBYTES)
      found.push(`${target.addon} has ${bytes.length} bytes; the limit is ${MOST_NBYTES}`)
  }
  return found
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [artifacts, into] = process.argv.slice(2)
  if (into === undefined) {
    console.error('node scripts/packages.mjs ARTIFACTS INTO')
    process.exit(2)
  }
  try {
    stage(artifacts, into)
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
  const found = complaints(into)
  for (const complaint of found) console.error(complaint)
  for (const { platform, addon } of targets) {
    const nbytes = readFileSync(join(into, 'npm', platform, addon)).length
    console.log(`${manifest.name}-${platform}@${manifest.version}: ${nbytes} bytes`)
  }
  process.exitCode = found.length === 0 ? 0 : 1
}
