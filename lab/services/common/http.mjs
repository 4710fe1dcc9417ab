// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The HTTP server that the services share: routes, metrics, CORS and a graceful stop.
import http from 'node:http'
import prometheus from 'prom-client'
import { behaviour, fatal, log, mustFail, number, release } from './release.mjs'

const MAX_BODY = 1 << 20
// Routes that neither misbehave nor refuse an origin: probes, and what tells which version this is.
const PLAIN_ROUTES = new Set(['/health', '/metrics', '/api/v1/health', '/'])

export class HttpError extends Error {
  constructor(status, message, headers = {}) {
    super(message)
    Object.assign(this, { status, headers })
  }
}

prometheus.collectDefaultMetrics()
const labelNames = ['method', 'route', 'status']
const requests = new prometheus.Counter({ name: 'http_requests_total', help: 'HTTP requests answered', labelNames })
const duration = new prometheus.Histogram({
  name: 'http_request_duration_seconds', help: 'Time from the request to the end of its answer', labelNames,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
})
new prometheus.Gauge({ name: 'service_build_info', help: 'The image that runs', labelNames: ['image', 'version'] })
  .set({ image: release.image, version: release.version }, 1)

const body = async request => {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    if ((size += chunk.length) > MAX_BODY) throw new HttpError(413, 'Payload Too Large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const parsed = raw => {
  try {
    return raw.length ? JSON.parse(raw) : {}
  } catch {
    throw new HttpError(400, 'the body is not JSON')
  }
}

const matcher = ([key, handle]) => {
  const [method, path] = key.split(' ')
  const pattern = new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
  return { method, path, handle, match: candidate => pattern.exec(candidate) }
}

const send = (response, status, content, headers = {}) => {
  const text = typeof content === 'string'
  const payload = content === undefined ? '' : text ? content : JSON.stringify(content)
  if (payload) headers = { 'content-type': text ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8', ...headers }
  response.writeHead(status, { 'x-version': release.version, 'content-length': Buffer.byteLength(payload), ...headers })
  response.end(payload)
}

/**
 * Serve `routes` ({'GET /jobs/:id': handler}); a handler gets {request, params, query, raw, json()} and returns
 * {status, content, headers} or plain content. `origins` are the allowed origins; `forbidOthers` answers 403 to any other.
 * `stop` closes connections to databases and queues once the last request is answered.
 */
export const serve = ({ name, port, routes, origins = [], forbidOthers = false, stop = async () => {} }) => {
  const table = Object.entries({
    'GET /metrics': async () => ({
      content: await prometheus.register.metrics(), headers: { 'content-type': prometheus.register.contentType },
    }),
    ...routes,
  }).map(matcher)

  const cors = (request, path) => {
    const origin = request.headers.origin
    if (!origin) return {}
    if (origins.includes(origin)) {
      return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' }
    }
    if (forbidOthers && !PLAIN_ROUTES.has(path)) throw new HttpError(403, `origin ${origin} is not allowed`)
    return { vary: 'Origin' }
  }

  const preflight = (request, headers) => ({
    status: 204,
    headers: headers['access-control-allow-origin'] ? {
      ...headers,
      'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE',
      'access-control-allow-headers': request.headers['access-control-request-headers'] ?? 'content-type,authorization,x-api-key',
      'access-control-max-age': '600',
    } : headers,
  })

  const answer = async (request, url, route) => {
    const headers = cors(request, url.pathname)
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method']) return preflight(request, headers)
    if (!route) throw new HttpError(404, `Cannot ${request.method} ${url.pathname}`, headers)
    if (!PLAIN_ROUTES.has(route.path) && mustFail()) throw new Error('simulated failure of a business route')
    const raw = await body(request)
    const result = await route.handle({
      request, raw, json: () => parsed(raw), params: route.match(url.pathname).groups ?? {}, query: url.searchParams,
    })
    const whole = result && typeof result === 'object' && ('content' in result || 'status' in result) && 'headers' in result
    return whole ? { ...result, headers: { ...headers, ...result.headers } } : { content: result, headers }
  }

  const server = http.createServer(async (request, response) => {
    const done = duration.startTimer()
    const url = new URL(request.url, 'http://service')
    const route = table.find(({ method, match }) => method === request.method && match(url.pathname))
    response.on('close', () => {
      if (route?.path === '/metrics') return
      const labels = { method: request.method, route: route?.path ?? 'unknown', status: String(response.statusCode) }
      requests.inc(labels)
      done(labels)
    })
    try {
      const { status = 200, content, headers } = await answer(request, url, route)
      send(response, status, content, headers)
    } catch (error) {
      const status = error.status ?? 500
      if (status >= 500) log('error', 'ERROR request failed', { method: request.method, path: url.pathname, error: error.message })
      if (!response.headersSent) send(response, status, { statusCode: status, message: status === 500 ? 'Internal server error' : error.message }, error.headers)
    }
  })
  server.keepAliveTimeout = 5000
  server.on('error', error => fatal(`cannot listen on port ${port}: ${error.message}`))
  server.listen(port, () => log('info', 'listening', { service: name, port, version: release.version, behaviour }))

  const onSignal = signal => {
    if (behaviour === 'ignore-term') return log('warn', 'signal ignored', { signal })
    log('info', 'stopping', { signal })
    setTimeout(() => fatal('did not stop in time'), 1000 * number('STOP_TIMEOUT_SECONDS', 8)).unref()
    // Idle keep-alive connections end at once, requests in flight are answered first.
    server.close(async () => {
      await stop().catch(error => log('warn', 'unclean stop', { error: error.message }))
      log('info', 'stopped')
      process.exit(0)
    })
    server.closeIdleConnections()
  }
  // The Redis adapter publishes without waiting: a lost Redis must show in /health, not end the process.
  process.on('unhandledRejection', error => log('error', 'ERROR unhandled rejection', { error: error?.message }))
  process.removeAllListeners('SIGTERM') // the one for the time of the start
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return server
}

/** A function that makes its value at the first call and keeps it. */
export const once = make => {
  let made
  return () => (made ??= make())
}

/** The answer of `promise`, or an error after `milliseconds`: a health check must never hang. */
export const within = (milliseconds, promise) => {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(reject, milliseconds, new Error(`no answer in ${milliseconds} ms`)) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
export const answers = check => within(1500, check()).then(() => true, error => {
  log('warn', 'dependency check failed', { error: error.message })
  return false
})
