#!/usr/bin/env node
// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Stands in for Prisma's native schema engine, which its CLI would download: same arguments, same JSON-RPC over
// stdio, but the engine is Prisma's own WebAssembly build over the pg driver. Set PRISMA_SCHEMA_ENGINE_BINARY to it.
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const engineDirectory = path.dirname(require.resolve('@prisma/schema-engine-wasm'))
const argv = process.argv.slice(2)
const options = name => argv.flatMap((argument, index) => (argument === name ? [argv[index + 1]] : []))

if (['--version', '-V'].includes(argv[0])) {
  console.log(`schema-engine-cli wasm ${JSON.parse(fs.readFileSync(path.join(engineDirectory, 'package.json'))).version}`)
  process.exit(0)
}

const { default: pg } = await import('pg')
// The adapter has no name for the catalogue's type "char" (oid 18) and refuses it; as text it reads well.
pg.types.builtins.XML = 18
const { PrismaPg } = await import('@prisma/adapter-pg')
const { DriverAdapterError, bindMigrationAwareSqlAdapterFactory } = await import('@prisma/driver-adapter-utils')

// The engine's 10 s guard on the advisory lock would keep a finished process alive.
const LOCK_GUARD_MS = 10_000
const setTimer = globalThis.setTimeout
globalThis.setTimeout = (callback, milliseconds, ...rest) => {
  const timer = setTimer(callback, milliseconds, ...rest)
  return milliseconds === LOCK_GUARD_MS ? timer.unref() : timer
}

const url = new URL(JSON.parse(options('--datasource')[0] ?? '{}').url)
const sslmode = url.searchParams.get('sslmode')
const connection = {
  host: url.hostname,
  port: Number(url.port || 5432),
  user: decodeURIComponent(url.username),
  password: url.password ? decodeURIComponent(url.password) : undefined,
  database: decodeURIComponent(url.pathname.slice(1)),
  application_name: url.searchParams.get('application_name') ?? 'prisma-migrate',
  options: url.searchParams.get('options') ?? undefined,
  // As libpq reads them: only the verify modes check the certificate.
  ssl: !sslmode || sslmode === 'disable' || sslmode === 'prefer' ? undefined : { rejectUnauthorized: sslmode.startsWith('verify') },
  allowExitOnIdle: true,
  idleTimeoutMillis: 50,
}

const databaseCommand = async command => {
  const fail = (error_code, message) => {
    console.error(`{}\n${JSON.stringify({ level: 'ERROR', target: 'schema_engine::logger', fields: { is_panic: false, error_code, message } })}`)
    process.exit(1)
  }
  const quoted = `"${connection.database.replaceAll('"', '""')}"`
  const client = new pg.Client(command === 'can-connect-to-database' ? connection : { ...connection, database: 'postgres' })
  try {
    await client.connect()
  } catch (error) {
    if (error.code === '3D000') fail('P1003', `Database \`${connection.database}\` does not exist`)
    if (error.code === '28P01') fail('P1000', `Authentication failed against the database server, the provided credentials for \`${connection.user}\` are not valid`)
    fail('P1001', `Can't reach database server at \`${connection.host}:${connection.port}\``)
  }
  if (command === 'create-database') await client.query(`CREATE DATABASE ${quoted}`)
  if (command === 'drop-database') await client.query(`DROP DATABASE ${quoted}`)
  await client.end()
  process.exit(0)
}
if (argv.includes('cli')) await databaseCommand(argv[argv.indexOf('cli') + 1])

// A migration script goes to the server as one message (one implicit transaction), as the native engine sends it.
const wholeScripts = adapter => Object.assign(adapter, {
  executeScript: async script => {
    try {
      await adapter.client.query(script)
    } catch (error) {
      if (typeof error?.severity !== 'string') return adapter.onError(error)
      throw new DriverAdapterError({
        kind: 'postgres', code: error.code, severity: error.severity, message: error.message, detail: error.detail,
        column: error.column, hint: error.hint, originalCode: error.code, originalMessage: error.message,
      })
    }
  },
})
class ScriptFactory extends PrismaPg {
  async connect() { return wholeScripts(await super.connect()) }
  async connectToShadowDb() { return wholeScripts(await super.connectToShadowDb()) }
}

const bindings = await import(path.join(engineDirectory, 'schema_engine_bg.js'))
const wasm = new WebAssembly.Module(fs.readFileSync(path.join(engineDirectory, 'schema_engine_bg.wasm')))
const instance = new WebAssembly.Instance(wasm, { './schema_engine_bg.js': bindings })
bindings.__wbg_set_wasm(instance.exports)
instance.exports.__wbindgen_start()

const datamodels = options('--datamodels').map(file => [file, fs.readFileSync(file, 'utf8')])
const factory = bindMigrationAwareSqlAdapterFactory(new ScriptFactory(connection, { schema: url.searchParams.get('schema') ?? undefined }))
let engine
const call = async ({ id, method, params }) => {
  engine ??= await bindings.SchemaEngine.new({ datamodels: datamodels.length ? datamodels : undefined }, line => console.error(line), factory)
  const result = (await engine[method === 'getDatabaseVersion' ? 'version' : method](params)) ?? null
  if (method === 'diff' && result?.stdout) {
    console.log(JSON.stringify({ jsonrpc: '2.0', id: 900_000 + id, method: 'print', params: { content: result.stdout } }))
  }
  return result
}

let pending = 0
let closed = false
const leaveWhenDone = () => { if (closed && pending === 0) process.exit(0) }
readline.createInterface({ input: process.stdin })
  .on('line', async line => {
    const request = JSON.parse(line)
    if (!request.method) return
    pending++
    const answer = await call(request).then(
      result => ({ result }),
      error => ({ error: {
        code: 4466, message: 'An error happened. Check the data field for details.',
        data: { is_panic: false, message: error.message, meta: null, ...(error.code ? { error_code: error.code } : {}) },
      } }),
    )
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: request.id, ...answer })}\n`)
    pending--
    leaveWhenDone()
  })
  .on('close', () => { closed = true; leaveWhenDone() })
