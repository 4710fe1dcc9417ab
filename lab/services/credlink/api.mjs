// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// CredLink API.
import { behaviour, fatal, list, log, number, release, required, starting } from '../common/release.mjs'
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { HttpError, answers, serve } from '../common/http.mjs'

const pool = new pg.Pool({
  connectionString: required('DATABASE_URL'), application_name: 'credlink-api', max: number('DATABASE_POOL_SIZE', 3), connectionTimeoutMillis: 1500,
})
pool.on('error', error => log('warn', 'database connection lost', { error: error.message }))
const signingKey = required('SIGNING_KEY')
const configuredKeys = () => {
  const file = process.env.API_KEYS_FILE
  return list(file ? readFileSync(file, 'utf8') : required('API_KEYS'))
}
const digest = key => createHash('sha256').update(key).digest()
const keys = configuredKeys().map(digest)
if (!keys.length) fatal('configuration: there is no API key')

const authorized = request => {
  const presented = digest(request.headers['x-api-key'] ?? '')
  if (keys.some(key => timingSafeEqual(key, presented))) return
  log('warn', 'auth: API key refused', { path: request.url })
  throw new HttpError(401, 'Unauthorized: unknown API key')
}

const health = async () => {
  const database = behaviour !== 'disconnected' && (await answers(() => pool.query('SELECT 1')))
  const sound = database || behaviour === 'disconnected'
  const status = starting() ? 'starting' : sound ? 'ok' : 'error'
  return { status: status === 'ok' ? 200 : 503, content: { status, checks: { database: database ? 'ok' : 'error' } }, headers: {} }
}

const status = async ({ request }) => {
  authorized(request)
  const { rows: [{ signatures }] } = await pool.query('SELECT count(*)::int AS signatures FROM signature')
  return { status: 'ok', version: release.version, signatures }
}

const sign = async ({ request, json }) => {
  authorized(request)
  const { payload } = json()
  if (typeof payload !== 'string') throw new HttpError(400, 'payload must be a string')
  const signature = createHmac('sha256', signingKey).update(payload).digest('hex')
  const { rows: [{ id }] } = await pool.query('INSERT INTO signature (payload_sha256, signature) VALUES ($1, $2) RETURNING id', [digest(payload).toString('hex'), signature])
  return { status: 201, content: { id, signature }, headers: {} }
}

serve({
  name: 'credlink-api',
  port: number('PORT', 8080),
  origins: list(process.env.ALLOWED_ORIGINS),
  forbidOthers: true,
  routes: {
    'GET /': () => ({ name: 'CredLink API', version: release.version }),
    'GET /health': health,
    'GET /api/v1/health': health,
    'GET /api/v1/status': status,
    'POST /api/v1/sign': sign,
  },
  stop: () => pool.end(),
})
