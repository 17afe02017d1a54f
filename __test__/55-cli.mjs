// The command line: every command against a small store, its JSON, its exit codes, and that it writes nothing it need not.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openFmalloc } from '../dist/index.js'
import { freshDirectory } from './helpers/files.mjs'

const main = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url))

/** Runs the command line; text unless it printed JSON. */
function run(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  return { status, out: stdout, err: stderr, json: () => JSON.parse(stdout) }
}

function folderWithStore(t, fill) {
  const folder = freshDirectory(t)
  const store = openFmalloc(path.join(folder, 's.fm'))
  fill?.(store)
  store.close()
  return folder
}

function fill(store) {
  store.vector('numeric', [1.5, null, -0], { name: 'x' })
  store.matrix('integer', [2, 3], { name: 'm', values: [1, 2, 3, 4, 5, null] })
  const a = store.vector('integer', [1, 2, 3])
  store.dataFrame({ a, what: ['plain', null, 'line\nend'] }, { name: 'df' })
  store.list({ x: store.get('x'), nothing: null }, { name: 'l' })
  store.vector('complex', [{ re: 1, im: -2 }, null], { name: 'z' })
  store.vector('raw', 200_000, { name: 'odd \u001b[31mname' })
}

test('ls lists the named objects, with --all also the columns of frames', t => {
  const folder = folderWithStore(t, fill)
  const { status, out, err } = run(folder, 'ls', 's.fm')
  t.is(err, '')
  t.is(status, 0)
  const lines = out.trimEnd().split('\n')
  t.regex(lines[0], /^kind +type +length +size +name$/)
  t.deepEqual(
    lines.slice(1).map(line => line.trim().split(/ {2,}/).toSpliced(3, 1)),
    [
      ['vector', 'numeric', '3', 'x'],
      ['matrix', 'integer', '2x3', 'm'],
      ['dataFrame', 'list', '3x2', 'df'],
      ['list', 'list', '2', 'l'],
      ['vector', 'complex', '2', 'z'],
      ['vector', 'raw', '200000', 'odd \\u{1b}[31mname'],
    ],
  )
  const all = run(folder, 'ls', 's.fm', '--all', '--json').json()
  t.deepEqual(
    all.filter(o => o.name === null).map(o => o.type),
    ['integer', 'character'],
  )
  const df = all.find(o => o.name === 'df')
  t.like(df, { kind: 'dataFrame', length: 2, dim: '3x2' })
  t.true(df.nbytes > 3 * 64, 'a frame is as large as its columns')
  t.deepEqual(
    run(folder, 'ls', 's.fm', '--json')
      .json()
      .map(o => o.name).length,
    6,
  )
  const empty = folderWithStore(t)
  t.deepEqual(run(empty, 'ls', 's.fm', '--json').json(), [])
  t.is(run(empty, 'ls', 's.fm').out.trim().split('\n').length, 1)
})

// Lines are put together as bytes in pieces of 256 KiB: none may be cut, and none may differ from what JSON and the escapes of one line say.
test('ls of many objects writes each in its line, whatever is in their names', t => {
  const names = Array.from({ length: 20_000 }, (_, i) => `sensor/${i}`)
  names.push(
    'quote " and \\ backslash',
    'tab\t and \u0000',
    'größer 👍 \u2028 \u200b',
    '\u007f',
    'x'.repeat(4096),
  )
  names.push('\u0001'.repeat(4096), '👍'.repeat(1024))
  const folder = folderWithStore(t, store => {
    for (const [i, name] of names.entries()) store.vector(i % 3 === 0 ? 'raw' : 'numeric', i % 7, { name })
    store.list([store.vector('integer', [1])], { name: 'last' })
  })
  const list = run(folder, 'ls', 's.fm', '--json')
  t.deepEqual(
    list.json().map(o => o.name),
    [...names, 'last'],
  )
  const objects = run(folder, 'ls', 's.fm', '--json', '--all').json()
  t.deepEqual(
    objects.map(o => o.name),
    [...names, null, 'last'],
  )
  t.is(
    list.out,
    `[${objects
      .filter(o => o.name !== null)
      .map(o => JSON.stringify(o))
      .join('\n,')}\n]\n`,
  )
  for (const [i, o] of objects.slice(0, names.length).entries()) {
    const [type, width] = i % 3 === 0 ? ['raw', 1] : ['numeric', 8]
    t.like(o, { kind: 'vector', type, length: i % 7, dim: '' })
    t.true(o.nbytes >= (i % 7) * width)
  }
  const { out } = run(folder, 'ls', 's.fm', '--all')
  const escaped = name =>
    name?.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, c => `\\u{${c.codePointAt(0).toString(16)}}`)
  const lines = out.split('\n')
  t.is(lines.pop(), '')
  t.is(lines.length, objects.length + 1)
  const start = lines[0].indexOf('name')
  for (const [i, { name, id, generation }] of objects.entries())
    t.is(lines[i + 1].slice(start), escaped(name) ?? `#${id}.${generation}`)
})

test('info and head describe a store and its objects', t => {
  const folder = folderWithStore(t, fill)
  const facts = run(folder, 'info', 's.fm', '--json').json()
  t.like(facts, { named: 6, unnamed: 2, damaged: 0, cleanlyClosed: true, retiredBytes: 0 })
  t.is(facts.bytes, fs.statSync(path.join(folder, 's.fm')).size)
  t.like(run(folder, 'info', 's.fm', 'df', '--json').json(), {
    kind: 'dataFrame',
    rows: 3,
    columns: { a: 'integer', what: 'character' },
  })
  t.like(run(folder, 'info', 's.fm', 'm', '--json').json(), { type: 'integer', dim: [2, 3] })
  t.regex(run(folder, 'info', 's.fm').out, /^path .*s\.fm$/m)
  const head = (...args) => run(folder, 'head', 's.fm', ...args)
  t.deepEqual(head('x', '--json').json(), [1.5, null, 0])
  t.deepEqual(head('df', '--json', '-n', '2').json(), [
    { a: 1, what: 'plain' },
    { a: 2, what: null },
  ])
  t.deepEqual(head('m', '--json').json(), [
    [1, 3, 5],
    [2, 4, null],
  ])
  t.is(head('df').out, '   a          what\n0  1         plain\n1  2            NA\n2  3  line\\u{a}end\n')
  t.regex(head('z').out, /0 +1-2i\n1 +NA/)
  t.regex(head('l').out, /0 +Vector<numeric> "x" \[3\]\n1 +null/)
})

test('commands that look open read-only, and change no byte', t => {
  const folder = folderWithStore(t, fill)
  const file = path.join(folder, 's.fm')
  const before = fs.readFileSync(file)
  fs.chmodSync(file, 0o444)
  for (const args of [
    ['ls'],
    ['info'],
    ['info', 'df'],
    ['head', 'df'],
    ['verify', '--payloads'],
    ['map'],
    ['export', 'df', 'df.csv'],
    ['compact', '--to', 'copy.fm'],
  ]) {
    const [command, ...rest] = args
    const { status, err } = run(folder, command, 's.fm', ...rest)
    t.is(status, 0, `${args}: ${err}`)
    t.is(err, '', 'no progress in a pipe')
  }
  t.true(before.equals(fs.readFileSync(file)))
  t.deepEqual(run(folder, 'ls', 'copy.fm', '--json').json().length, 6)
})

test('verify names faults and ends with 6; a store without any says so', t => {
  const folder = folderWithStore(t, fill)
  t.deepEqual(run(folder, 'verify', 's.fm', '--json').json(), { ok: true, faults: [] })
  t.regex(run(folder, 'verify', 's.fm').out, /no fault$/m)
  const file = path.join(folder, 's.fm')
  const bytes = fs.readFileSync(file)
  const store = openFmalloc(file)
  const at = store.allocations().find(r => r.name === 'm').recordOffset
  store.close()
  bytes.fill(0xff, at + 40, at + 60)
  fs.writeFileSync(file, bytes)
  const { status, out } = run(folder, 'verify', 's.fm')
  t.is(status, 6)
  t.regex(out, /^where +offset +object +fault\n/)
  t.false(run(folder, 'verify', 's.fm', '--json').json().ok)
})

test('map draws every byte, as text, SVG and JSON', t => {
  const folder = folderWithStore(t, store => {
    fill(store)
    store.vector('raw', 300_000, { name: 'gone' })
    store.vector('raw', 100_000, { name: 'last' })
    store.syncNow()
    store.delete('gone')
  })
  const nbytes = fs.statSync(path.join(folder, 's.fm')).size
  const stretches = run(folder, 'map', 's.fm', '--json').json()
  let at = 0
  for (const s of stretches) {
    t.is(s.offset, at)
    at += s.nbytes
  }
  t.is(at, nbytes)
  t.true(stretches.some(s => s.object === 'last') && stretches.some(s => s.use === 'free'))
  const { out } = run(folder, 'map', 's.fm', '--width', '40', '--rows', '8')
  const lines = out.trimEnd().split('\n')
  t.true(lines.length <= 8 + 2)
  t.regex(out, /last/)
  t.regex(lines.at(-1), /█ live .* = metadata .* · free/)
  t.false(out.includes('\u001b'), 'no colours in a pipe')
  t.is(run(folder, 'map', 's.fm', '--svg', 'map.svg').status, 0)
  const svg = fs.readFileSync(path.join(folder, 'map.svg'), 'utf8')
  t.regex(svg, /^<svg xmlns/)
  t.regex(svg, /<title>last: bytes \d+ to \d+<\/title>/)
  t.false(svg.includes('\u001b'))
  t.is(run(folder, 'map', 's.fm', '--width', '0').status, 2)
})

test('import and export move CSV and npy files in and out', t => {
  const folder = freshDirectory(t)
  fs.writeFileSync(path.join(folder, 'people.csv'), 'id,zip,note\n1,00123,x\n2,NA,y\n')
  const made = run(folder, 'import', 'new.fm', 'people.csv', '-t', 'zip=character', '--type', 'note=skip')
  t.is(made.status, 0, made.err)
  t.is(
    made.out,
    'people: 2 rows of 2 columns from 29 B\ncolumn  type       NA  text because of\nid      integer     0  \nzip     character   1  \n',
  )
  t.deepEqual(run(folder, 'head', 'new.fm', 'people', '--json').json(), [
    { id: 1, zip: '00123' },
    { id: 2, zip: null },
  ])
  t.is(run(folder, 'import', 'new.fm', 'people.csv').status, 7, 'the name is taken')
  const again = run(folder, 'import', 'new.fm', 'people.csv', '--replace', '--json').json()
  t.deepEqual(
    again.columns.map(c => c.type),
    ['integer', 'integer', 'character'],
  )
  t.like(again.columns[2].whyText, { row: 0, line: 2, text: 'x' })
  t.is(run(folder, 'export', 'new.fm', 'people', 'out.tsv', '--na', '-', '--crlf').status, 0)
  t.is(fs.readFileSync(path.join(folder, 'out.tsv'), 'utf8'), 'id\tzip\tnote\r\n1\t123\tx\r\n2\t-\ty\r\n')
  t.is(run(folder, 'export', 'new.fm', 'people', 'out.tsv').status, 7)
  t.is(run(folder, 'export', 'new.fm', 'people', 'out.tsv', '--replace', '--no-header').status, 0)
  const back = run(folder, 'import', 'new.fm', 'out.tsv', '--no-header', '--name', 'back', '--json').json()
  t.deepEqual(
    back.columns.map(c => c.name),
    ['V1', 'V2', 'V3'],
  )
  const store = openFmalloc(path.join(folder, 'new.fm'))
  store.matrix('numeric', [2, 2], { values: [1, 2, 3, 4], name: 'X' })
  store.close()
  t.is(run(folder, 'export', 'new.fm', 'X', 'X.npy').status, 0)
  t.regex(run(folder, 'import', 'new.fm', 'X.npy', '--name', 'Y').out, /^Y: Matrix<numeric>/)
  t.deepEqual(run(folder, 'head', 'new.fm', 'Y', '--json').json(), [
    [1, 3],
    [2, 4],
  ])
  t.is(run(folder, 'export', 'new.fm', 'X', 'X.csv').status, 2)
  t.is(run(folder, 'export', 'new.fm', 'people', 'p.npy').status, 2)
  t.is(run(folder, 'import', 'new.fm', 'people.csv', '-t', 'note=integer', '--name', 'n').status, 1)
  t.is(run(folder, 'import', 'new.fm', 'people.csv', '-t', 'zip').status, 2)
  t.is(run(folder, 'import', 'new.fm', 'people.xlsx').status, 2)
})

test('compact makes the file shorter', t => {
  const folder = folderWithStore(t, store => {
    store.vector('raw', 4_000_000, { name: 'gap' })
    store.vector('raw', 1_000_000, { name: 'v' })
    store.syncNow()
    store.delete('gap')
  })
  const before = fs.statSync(path.join(folder, 's.fm')).size
  const { moved, freed, nbytes } = run(folder, 'compact', 's.fm', '--json').json()
  t.true(moved > 0 && freed > 3e6)
  t.is(nbytes, before - freed)
  t.is(fs.statSync(path.join(folder, 's.fm')).size, nbytes)
  t.regex(run(folder, 'compact', 's.fm').out, /moved 0 B, freed 0 B/)
  t.is(run(folder, 'compact', 's.fm', '--to', 'copy.fm').status, 0)
  t.is(run(folder, 'compact', 's.fm', '--to', 'copy.fm').status, 7)
})

test('each failure has one line and an exit code of its own', async t => {
  const folder = folderWithStore(t, fill)
  fs.writeFileSync(path.join(folder, 'foreign.txt'), 'x'.repeat(100_000))
  fs.writeFileSync(
    path.join(folder, 'cut.fm'),
    fs.readFileSync(path.join(folder, 's.fm')).subarray(0, 200_000),
  )
  for (const [status, ...args] of [
    [2],
    [2, 'frobnicate'],
    [2, 'ls'],
    [2, 'ls', 's.fm', 'more'],
    [2, 'ls', 's.fm', '--colour'],
    [2, 'head', 's.fm', 'x', '-n', 'many'],
    [3, 'ls', 'nothing.fm'],
    [3, 'compact', 'nothing.fm'],
    [3, 'head', 's.fm', 'y'],
    [5, 'ls', 'foreign.txt'],
    [6, 'ls', 'cut.fm'],
  ]) {
    const { status: got, out, err } = run(folder, ...args)
    t.is(got, status, `${args}: ${err}`)
    if (args.length === 0) continue
    t.is(out, '')
    t.regex(err, /^rfmalloc: [^\n]+\n$/, `${args}`)
  }
  const e = run(folder, 'head', 's.fm', 'y', '--json').json()
  t.is(e.error.code, 'ERR_FMALLOC_NOT_FOUND')
  t.false(fs.existsSync(path.join(folder, 'nothing.fm')), 'looking makes no store')

  const script = `import { openFmalloc } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)}
// Reachable for good: a store that nobody can reach any more is closed.
globalThis.store = openFmalloc('s.fm'); console.log('open'); process.stdin.resume()`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  const locked = run(folder, 'ls', 's.fm')
  t.is(locked.status, 4)
  t.regex(locked.err, /^rfmalloc: .*(ERR_FMALLOC_LOCKED)/)
  const waiting = spawn(process.execPath, [main, 'ls', 's.fm', '--wait', '60000'], {
    cwd: folder,
    stdio: 'ignore',
  })
  holder.stdin.end()
  holder.kill()
  t.deepEqual(await once(waiting, 'exit'), [0, null])
})

test('help, version, and a reader that has enough', async t => {
  const folder = folderWithStore(t, store => {
    for (let i = 0; i < 20_000; i++) store.vector('integer', [i], { name: `object number ${i}` })
  })
  t.is(run(folder, '--help').status, 0)
  t.regex(run(folder, '--help').out, /ls STORE/)
  for (const command of ['ls', 'info', 'head', 'verify', 'map', 'compact', 'import', 'export']) {
    const { status, out } = run(folder, command, '--help')
    t.is(status, 0)
    t.regex(out, new RegExp(`^rfmalloc ${command} STORE`))
    t.regex(out, /--json/)
  }
  const { version } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url)))
  t.is(run(folder, '--version').out, `${version}\n`)
  const ls = spawn(process.execPath, [main, 'ls', 's.fm'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  ls.stderr.on('data', text => (err += text))
  ls.stdout.once('data', () => ls.stdout.destroy())
  t.deepEqual(await once(ls, 'exit'), [0, null])
  t.is(err, '')
})

test('the page shows what the commands print', t => {
  const captures = fileURLToPath(new URL('../scripts/captures.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [captures, '--check'], { encoding: 'utf8' })
  t.is(status, 0, stdout + stderr)
})
