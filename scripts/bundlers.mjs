// `npm run test:bundlers`: a program that uses rfmalloc goes through esbuild, Rollup, Vite and webpack, and runs under Bun. What
// docs/platforms.md says of them is held here. Each comes from npm at one version, into a cache folder. Ends with "N passed, M failed".
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cached } from './cached.mjs'
import { scriptsOf, notPrinted } from './fences.mjs'
import { closingLine, zero } from './tally.mjs'
import { hostTarget, root } from './targets.mjs'

const versions = { esbuild: '0.28.2', rollup: '4.68.8', vite: '8.3.8', webpack: '5.112.2', bun: '1.4.5' }

const base = mkdtempSync(join(tmpdir(), 'rfmalloc-bundlers-'))
// A copy and no link: Vite takes linked packages for sources and bundles them.
for (const part of ['package.json', 'dist', 'native'])
  cpSync(join(root, part), join(base, 'node_modules/rfmalloc', part), { recursive: true })
const program = join(base, 'program.mjs')
writeFileSync(
  program,
  `import { openFmalloc } from 'rfmalloc'
const store = openFmalloc('numbers.fm')
console.log(store.vector('numeric', [1, null, 3]).toArray().join())
store.close()
`,
)

const sum = zero()
async function check(title, act) {
  let error
  try {
    await act()
  } catch (e) {
    error = e
  }
  sum[error === undefined ? 'passed' : 'failed']++
  console.log(`${error ? 'not ok' : 'ok'} ${title}`)
  if (error) console.log(String(error.stack).replace(/^/gm, '    '))
}

/** A package as a program of today would import it, from the cache. */
async function load(name) {
  const folder = cached(name, versions[name])
  return import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)))
}

function runs(file, command = process.execPath) {
  const { status, stdout, stderr, error } = spawnSync(command, [file], { cwd: base, encoding: 'utf8' })
  assert.equal(status, 0, error?.message ?? stderr)
  return stdout
}

/** Where rfmalloc was taken into the bundle: it cannot work, and must say why. */
function refuses(file) {
  const { status, stderr } = spawnSync(process.execPath, [file], { cwd: base, encoding: 'utf8' })
  assert.notEqual(status, 0)
  assert.match(stderr, /a bundler took rfmalloc into its output/)
  assert.match(stderr, /mark it as external/)
}

const esbuild = await load('esbuild')
for (const [format, extension] of [
  ['esm', 'mjs'],
  ['cjs', 'cjs'],
]) {
  const options = { entryPoints: [program], bundle: true, platform: 'node', format, logLevel: 'silent' }
  await check(`esbuild, ${format}, rfmalloc external`, async () => {
    const outfile = join(base, `esbuild.${extension}`)
    await esbuild.build({ ...options, outfile, external: ['rfmalloc'] })
    assert.equal(runs(outfile), '1,,3\n')
  })
  await check(`esbuild, ${format}, rfmalloc inside: the message says what to do`, async () => {
    const outfile = join(base, `esbuild-inside.${extension}`)
    await esbuild.build({ ...options, outfile })
    refuses(outfile)
  })
}

await check('Rollup, rfmalloc external', async () => {
  const { rollup } = await load('rollup')
  const bundle = await rollup({ input: program, external: ['rfmalloc'] })
  await bundle.write({ file: join(base, 'rollup.mjs') })
  assert.equal(runs(join(base, 'rollup.mjs')), '1,,3\n')
})

await check('Vite, built for a server, as it comes', async () => {
  const vite = await load('vite')
  const build = { ssr: program, outDir: 'vite', rollupOptions: { output: { entryFileNames: 'program.mjs' } } }
  await vite.build({ root: base, logLevel: 'silent', configFile: false, build })
  assert.equal(runs(join(base, 'vite/program.mjs')), '1,,3\n')
})

await check('webpack, rfmalloc external', async () => {
  const { default: webpack } = await load('webpack')
  const stats = await new Promise((resolve, reject) => {
    webpack(
      {
        context: base,
        entry: program,
        mode: 'production',
        target: 'node20',
        externals: { rfmalloc: 'module rfmalloc' },
        experiments: { outputModule: true },
        output: { path: base, filename: 'webpack.mjs', module: true },
      },
      (error, result) => (error ? reject(error) : resolve(result)),
    )
  })
  assert.ok(!stats.hasErrors(), stats.toString())
  assert.equal(runs(join(base, 'webpack.mjs')), '1,,3\n')
})

const { os, cpu, libc } = hostTarget()
const machine = [os, cpu === 'arm64' ? 'aarch64' : cpu, libc === 'musl' ? 'musl' : undefined]
const bun = join(cached(`@oven/bun-${machine.filter(Boolean).join('-')}`, versions.bun), 'bin/bun')
await check('Bun runs the program', () => assert.equal(runs(program, bun), '1,,3\n'))
for (const [i, source] of scriptsOf(join(root, 'README.md')).entries()) {
  await check(`Bun runs fence ${i + 1} of README`, () => {
    const script = join(base, `fence-${i + 1}.mjs`)
    writeFileSync(script, source)
    // Bun prints texts in an array with double quotes.
    const stdout = runs(script, bun).replaceAll('"', "'")
    assert.deepEqual(notPrinted(source, stdout), [], stdout)
  })
}

rmSync(base, { recursive: true, force: true })
console.log(closingLine(sum))
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1
