// The house's walls: dependencies point down only (C -> fmalloc-sys -> rfmalloc-core -> rfmalloc-table -> rfmalloc-capi, rfmalloc-napi ->
// TypeScript), `unsafe` stands only in the rooms named for it, and one TypeScript file imports the addon. Prints each broken rule; exits 1 if any.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const broken = []

/** Files or folders (ending in "/") that may say `unsafe`; tests, examples and benches stand outside the product. */
const unsafeRooms = [
  'crates/fmalloc-sys/',
  'crates/rfmalloc-core/src/region/',
  'crates/rfmalloc-core/src/heap.rs',
  'crates/rfmalloc-core/src/platform/',
  'crates/rfmalloc-core/src/kernels/simd.rs',
  'crates/rfmalloc-core/src/kernels/simd_lanes.rs',
  'crates/rfmalloc-core/src/kernels/simd_product.rs',
  'crates/rfmalloc-core/src/kernels/simd_classify.rs',
  'crates/rfmalloc-core/src/kernels/simd_network.rs',
  'crates/rfmalloc-core/src/kernels/simd_sort.rs',
  'crates/rfmalloc-core/src/kernels/simd_split.rs',
  // The doors of C: every function takes pointers.
  'crates/rfmalloc-table/src/',
  'crates/rfmalloc-capi/src/',
  'crates/rfmalloc-napi/src/view.rs',
]

function metadata() {
  const args = ['metadata', '--format-version', '1', '--all-features']
  return JSON.parse(execFileSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 }))
}

/** What a package links at run time (kind null); build and dev dependencies are tools. */
function linked(node) {
  return node.deps.filter(dep => dep.dep_kinds.some(({ kind }) => kind === null)).map(dep => dep.pkg)
}

function checkCrates() {
  const { packages, resolve, workspace_members: members } = metadata()
  const nameOf = new Map(packages.map(pkg => [pkg.id, pkg.name]))
  const nodeOf = new Map(resolve.nodes.map(node => [node.id, node]))
  const idOf = new Map(members.map(id => [nameOf.get(id), id]))

  /** Every package reached from a crate through what it links. */
  function closure(name) {
    const seen = new Set()
    const todo = [idOf.get(name)]
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      if (seen.has(id)) continue
      seen.add(id)
      todo.push(...linked(nodeOf.get(id)))
    }
    seen.delete(idOf.get(name))
    return [...seen].map(id => nameOf.get(id))
  }

  const allowed = {
    'fmalloc-sys': [],
    'rfmalloc-core': ['fmalloc-sys'],
    'rfmalloc-table': ['rfmalloc-core'],
    'rfmalloc-capi': ['rfmalloc-table'],
    'rfmalloc-napi': ['rfmalloc-core', 'rfmalloc-table'],
  }
  for (const [name, below] of Object.entries(allowed)) {
    if (!idOf.has(name)) {
      broken.push(`${name}: not a member of the workspace`)
      continue
    }
    const direct = linked(nodeOf.get(idOf.get(name))).map(id => nameOf.get(id))
    for (const other of direct.filter(dep => idOf.has(dep) && !below.includes(dep))) {
      broken.push(`${name} depends on ${other}: allowed are ${below.join(', ') || 'none of our crates'}`)
    }
  }
  const sys = idOf.has('fmalloc-sys') ? linked(nodeOf.get(idOf.get('fmalloc-sys'))) : []
  for (const id of sys) broken.push(`fmalloc-sys depends on ${nameOf.get(id)}: it may link nothing`)
  for (const crate of ['rfmalloc-core', 'rfmalloc-table', 'rfmalloc-capi'].filter(name => idOf.has(name))) {
    for (const name of closure(crate).filter(dep => dep.startsWith('napi'))) {
      broken.push(`${crate} reaches ${name}: it knows no JavaScript`)
    }
  }
}

/** The planted faults of labs/crash are compiled into no addon. */
function checkFeatures() {
  const args = ['tree', '-p', 'rfmalloc-napi', '-e', 'normal', '--prefix', 'none', '-f', '{p} [{f}]']
  const lines = execFileSync('cargo', args, { cwd: root, encoding: 'utf8' }).split('\n')
  const core = lines.filter(line => line.startsWith('rfmalloc-core '))
  if (core.length === 0) broken.push('rfmalloc-napi: does not link rfmalloc-core')
  if (core.some(line => /\[.*\bmutants\b.*\]/.test(line))) {
    broken.push('rfmalloc-napi links rfmalloc-core with its planted faults (feature "mutants")')
  }
}

function* filesUnder(folder, extension) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith(extension)) yield join(entry.parentPath, entry.name)
  }
}

/** Comments, raw strings, strings, and characters (so that '"' opens no string). */
const notCode =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|r(#*)"[\s\S]*?"\1|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[^'\n]+|[^'\\\n])'/g

/** Rust source with all that is not code blanked, line numbers kept. */
function codeOnly(source) {
  return source.replace(notCode, text => text.replace(/[^\n]/g, ' '))
}

function checkUnsafe() {
  for (const crate of readdirSync(join(root, 'crates'))) {
    for (const file of filesUnder(join(root, 'crates', crate, 'src'), '.rs')) {
      const path = relative(root, file)
      if (unsafeRooms.some(room => path === room || (room.endsWith('/') && path.startsWith(room)))) continue
      const lines = codeOnly(readFileSync(file, 'utf8')).split('\n')
      lines.forEach((line, i) => {
        if (/(?<!r#)\bunsafe\b/.test(line)) broken.push(`${path}:${i + 1}: unsafe outside its rooms`)
      })
    }
  }
}

function checkAddonImport() {
  const files = [join(root, 'index.ts'), ...filesUnder(join(root, 'src'), '.ts')].filter(existsSync)
  for (const file of files) {
    const path = relative(root, file)
    const loads = /['"](?:#native|[./]*native\/binding\.cjs)['"]/.test(readFileSync(file, 'utf8'))
    if (loads && path !== 'src/native.ts') broken.push(`${path}: only src/native.ts may load the addon`)
  }
}

checkCrates()
checkFeatures()
checkUnsafe()
checkAddonImport()
for (const rule of broken) console.error(rule)
console.log(
  broken.length === 0
    ? 'dependencies point down; unsafe stays in its rooms'
    : `${broken.length} rules broken`,
)
process.exitCode = broken.length === 0 ? 0 : 1
