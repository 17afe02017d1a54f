// `npm run test:install`: what a stranger gets. The main package and the one of this machine are packed, put into a registry of their own,
// and installed by npm into an empty project, with scripts disabled and nothing in PATH but Node: no Rust, no compiler. README's tour
// runs there as a module, with require and as TypeScript (5.4 and 7, each strict, lib es2022, library declarations checked); publint and
// are-the-types-wrong look at the tarball; without the platform's package the message says what to do, and doing it helps.
// Ends with "N passed, M failed". Needs what `npm ci` built; `--keep` leaves the folder.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cached } from './cached.mjs'
import { notPrinted } from './fences.mjs'
import { openRegistry } from './install/registry.mjs'
import { tsconfig, ways } from './install/tour.mjs'
import { brokenIn, linksOf } from './links.mjs'
import { complaints, stage } from './packages.mjs'
import { split } from './symbols.mjs'
import { closingLine, zero } from './tally.mjs'
import { hostTarget, manifest, root, targets } from './targets.mjs'

const { name, version } = manifest
const host = hostTarget()
const others = targets.filter(target => target !== host)
const base = realpathSync(mkdtempSync(join(tmpdir(), 'rfmalloc-install-')))
const compilers = { 5.4: cached('typescript', '5.4.5'), 7: join(root, 'node_modules/typescript') }

/** What may be in the main package; sources, tests and addons may not. */
const PUBLISHED =
  /^(package\.json|[A-Z]+\.md|LICENSE-\w+|dist\/.+\.(js|cjs|d\.ts|d\.cts)|native\/binding\.(cjs|d\.cts)|include\/[\w.]+)$/

// Node alone: neither npm's own folder nor any toolchain.
const bin = join(base, 'bin')
mkdirSync(bin)
symlinkSync(process.execPath, join(bin, 'node'))
const bare = { PATH: bin, HOME: base, npm_config_cache: join(base, 'cache'), NO_COLOR: '1' }
const npmCli =
  process.env.npm_execpath ??
  join(dirname(realpathSync(process.execPath)), '../lib/node_modules/npm/bin/npm-cli.js')

/** Runs a script under Node; its exit code and everything it printed. */
function node(cwd, script, ...args) {
  return new Promise(resolve => {
    execFile(process.execPath, [script, ...args], { cwd, env: bare }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : (error.code ?? 1), stdout, stderr, all: stdout + stderr })
    })
  })
}

async function well(cwd, script, ...args) {
  const result = await node(cwd, script, ...args)
  assert.equal(result.status, 0, `${script} ${args.join(' ')}\n${result.all}`)
  return result
}

const npm = (cwd, ...args) => well(cwd, npmCli, ...args, '--ignore-scripts', '--no-audit', '--no-fund')

async function pack(folder) {
  // A cache of its own: what npm packs it keeps, and would not fetch again.
  const where = ['--pack-destination', base, '--cache', join(base, 'packing')]
  const { stdout } = await npm(folder, 'pack', '--json', ...where)
  const [packed] = Object.values(JSON.parse(stdout))
  return {
    folder,
    tarball: join(base, packed.filename),
    nbytes: packed.size,
    files: packed.files.map(file => file.path),
  }
}

const sum = zero()
async function check(title, act) {
  const from = performance.now()
  let error
  try {
    await act()
  } catch (e) {
    error = e
  }
  sum[error === undefined ? 'passed' : 'failed']++
  console.log(`${error ? 'not ok' : 'ok'} ${title} (${Math.round(performance.now() - from)} ms)`)
  if (error) console.log(String(error.stack).replace(/^/gm, '    '))
}

/** An empty project that takes its packages from `registry`. */
function emptyProject(label, registry) {
  const folder = join(base, label)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  writeFileSync(join(folder, '.npmrc'), `registry=${registry.url}\n`)
  return folder
}

/** Node's declarations, which every project has that compiles for Node. */
function lendNodeTypes(project) {
  symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'), 'dir')
}

async function runFences(way, folder, scripts) {
  for (const [i, source] of way.sources.entries()) {
    const { stdout } = await well(folder, join(scripts, `fence-${i + 1}.${way.runs}`))
    assert.deepEqual(notPrinted(source, stdout), [], `fence ${i + 1} printed\n${stdout}`)
  }
}

function writeFences(way, folder) {
  mkdirSync(folder)
  way.sources.forEach((source, i) => writeFileSync(join(folder, `fence-${i + 1}.${way.extension}`), source))
}

async function everything() {
  // The addon as it is published; the other platforms have their manifests, and a file that must never be fetched.
  const artifacts = join(base, 'artifacts')
  mkdirSync(artifacts)
  for (const { addon } of targets) writeFileSync(join(artifacts, addon), 'of another machine')
  copyFileSync(join(root, 'native', host.addon), join(artifacts, host.addon))
  const { before, after } = split(join(artifacts, host.addon))
  const into = join(base, 'packages')
  stage(artifacts, into)

  const main = await pack(into)
  const platform = await pack(join(into, 'npm', host.platform))
  console.log(`${name}: ${main.nbytes} bytes packed, ${main.files.length} files`)
  console.log(
    `${name}-${host.platform}: ${platform.nbytes} bytes packed; the addon has ${after} bytes, ${before} with symbols`,
  )

  await check('the packages hold what is used, and nothing else', () => {
    const strange = main.files.filter(file => !PUBLISHED.test(file))
    assert.deepEqual(strange, [])
    assert.deepEqual(
      platform.files.toSorted(),
      ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'THIRD-PARTY.md', 'package.json', host.addon].toSorted(),
    )
  })
  await check(
    'every link of a shipped page leads somewhere, and no script asks for a map that is not there',
    () => {
      const read = file => readFileSync(join(into, file), 'utf8')
      const shipped = file => main.files.some(own => own === file || own.startsWith(`${file}/`))
      for (const page of main.files.filter(file => file.endsWith('.md'))) {
        assert.deepEqual(brokenIn(read(page), shipped), [], page)
        for (const to of linksOf(read(page))) {
          const [, file] = new RegExp(`/blob/v${version}/([^#]*)`).exec(to) ?? []
          assert.ok(file === undefined || existsSync(join(root, file)), `${page}: ${to}`)
        }
      }
      for (const file of main.files) assert.ok(!/^\/\/# sourceMappingURL/m.test(read(file)), file)
    },
  )
  await check('the gate of a release accepts this platform and refuses the five that are missing', () => {
    const found = complaints(into)
    for (const { addon } of others)
      assert.ok(
        found.some(words => words.includes(addon)),
        found.join('\n'),
      )
    // Built against this system's own glibc, it asks for a newer one than what cross.mjs makes for a release.
    const ours = found.filter(words => words.includes(host.addon) && !words.includes('needs glibc'))
    assert.deepEqual(ours, [])
  })
  await check('publint', () =>
    well(base, join(root, 'node_modules/publint/src/cli.js'), main.tarball, '--strict'),
  )
  await check('are-the-types-wrong', () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    // A header for C has no types. TypeScript's resolution from before "exports" knows the main door only.
    const but = ['--exclude-entrypoints', './include/rfmalloc.h', '--profile', 'node16']
    return well(base, attw, main.tarball, '--no-emoji', ...but)
  })

  const registry = await openRegistry([
    main,
    platform,
    ...others.map(({ platform }) => ({ folder: join(into, 'npm', platform) })),
  ])
  const project = emptyProject('project', registry)
  await check(`npm install takes ${host.platform} and no other platform`, async () => {
    await npm(project, 'install', name)
    assert.deepEqual(
      registry.fetched.toSorted(),
      [`${name}-${version}.tgz`, `${name}-${host.platform}-${version}.tgz`].toSorted(),
    )
    const installed = readdirSync(join(project, 'node_modules')).filter(entry => !entry.startsWith('.'))
    assert.deepEqual(installed, [name, `${name}-${host.platform}`])
  })
  lendNodeTypes(project)

  for (const [title, way] of Object.entries(ways)) {
    const folder = join(project, way.extension)
    writeFences(way, folder)
    if (way.extension === way.runs) {
      await check(`the tour as ${title}`, () => runFences(way, folder, folder))
      continue
    }
    for (const [major, compiler] of Object.entries(compilers)) {
      await check(`the tour as ${title}, by TypeScript ${major}`, async () => {
        const options = { ...tsconfig.compilerOptions, outDir: `out-${major}` }
        writeFileSync(
          join(folder, 'tsconfig.json'),
          JSON.stringify({ ...tsconfig, compilerOptions: options }),
        )
        await well(folder, join(compiler, 'bin/tsc'), '-p', '.')
        await runFences(way, folder, join(folder, options.outDir))
      })
    }
  }

  await check('import and require give the same classes', async () => {
    const lines = [
      `import { createRequire } from 'node:module'`,
      `import * as byImport from '${name}'`,
      `const byRequire = createRequire(import.meta.url)('${name}')`,
      `const differ = Object.keys(byImport).filter(key => byImport[key] !== byRequire[key])`,
      `console.log(JSON.stringify([Object.keys(byImport).length > 50, differ]))`,
    ]
    writeFileSync(join(project, 'doors.mjs'), lines.join('\n'))
    assert.equal((await well(project, 'doors.mjs')).stdout, '[true,[]]\n')
  })

  const without = emptyProject('without', registry)
  const probe = `import('${name}').then(() => console.log('loaded'), e => console.log(e.code + '\\n' + e.message))\n`
  let advice
  await check('without the package of the platform the message says so', async () => {
    await npm(without, 'install', name, '--omit=optional')
    writeFileSync(join(without, 'probe.mjs'), probe)
    const { stdout } = await well(without, 'probe.mjs')
    assert.match(stdout, /^ERR_FMALLOC_NATIVE\n/)
    assert.ok(stdout.includes(`could not be loaded on ${process.platform}-${process.arch}`), stdout)
    assert.ok(stdout.includes(`the package ${name}-${host.platform} is not there`), stdout)
    advice = /^What to do: npm (install .*)$/m.exec(stdout)[1]
  })
  await check('and doing what it says helps', async () => {
    await npm(without, ...advice.split(' '))
    assert.equal((await well(without, 'probe.mjs')).stdout, 'loaded\n')
  })
  await registry.close()
}

if (host === undefined) throw new Error(`no package for ${process.platform}-${process.arch}`)
try {
  await everything()
} catch (error) {
  sum.failed++
  console.log(error.stack)
} finally {
  if (process.argv.includes('--keep')) console.log(`left in ${base}`)
  else rmSync(base, { recursive: true, force: true })
}
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
