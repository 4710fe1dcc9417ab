// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// ServiceLink API.
import { behaviour, list, log, number, release, required, starting } from '../common/release.mjs'
import { scryptSync, timingSafeEqual } from 'node:crypto'
import { PrismaClient } from '@prisma/client'
import { PrismaPg } from '@prisma/adapter-pg'
import { Redis } from 'ioredis'
import { HttpError, answers, once, serve } from '../common/http.mjs'
import { realtime } from './realtime.mjs'
import { loginThrottle } from './throttle.mjs'

const jwtSecret = required('JWT_SECRET')
const stripeKey = required('STRIPE_SECRET_KEY')
const webhookSecret = required('STRIPE_WEBHOOK_SECRET')
const origins = list(process.env.CORS_ORIGIN)

const prisma = new PrismaClient({
  adapter: new PrismaPg({
    connectionString: required('DATABASE_URL'),
    application_name: 'servicelink-api',
    max: number('DATABASE_POOL_SIZE', 3),
    connectionTimeoutMillis: 1500,
  }),
})
const redis = new Redis(required('REDIS_URL'), {
  connectionName: 'servicelink-api', maxRetriesPerRequest: 1, retryStrategy: attempt => Math.min(attempt * 100, 1000),
})
redis.on('error', error => log('warn', 'redis', { error: error.message }))
const throttle = loginThrottle(redis)

// What no health check needs is loaded at its first use: it would double the processor time of a start.
const jwt = once(async () => (await import('jsonwebtoken')).default)
const stripe = once(async () => new (await import('stripe')).default(stripeKey))
const reminders = once(async () => {
  const { Queue } = await import('bullmq')
  return new Queue('reminders', { connection: redis }).on('error', error => log('warn', 'queue reminders', { error: error.message }))
})

const health = async () => {
  const [database, cache] = await Promise.all([
    behaviour === 'disconnected' ? false : answers(() => prisma.$queryRaw`SELECT 1`),
    answers(() => redis.ping()),
  ])
  const word = connected => (connected ? 'connected' : 'disconnected')
  // "disconnected" is the version that lies: HTTP 200 and "ok" although its database is gone.
  const sound = behaviour === 'disconnected' || (database && cache)
  const status = starting() ? 'starting' : sound ? 'ok' : 'error'
  return {
    status: status === 'ok' ? 200 : 503,
    content: { status, database: word(database), redis: word(cache), timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z') },
    headers: {},
  }
}

const matches = (password, stored) => {
  const [salt, digest] = stored.split(':')
  const expected = Buffer.from(digest, 'hex')
  return timingSafeEqual(scryptSync(password, salt, expected.length, { N: 1024 }), expected)
}

const login = async ({ request, json }) => {
  const { email, password } = json()
  if (!email || !password) throw new HttpError(400, 'email and password are required')
  const user = await prisma.user.findUnique({ where: { email }, select: { id: true, role: true, passwordHash: true } })
  const headers = await throttle(request, email, user?.role)
  if (!user || !matches(password, user.passwordHash)) throw new HttpError(401, 'Invalid credentials', headers)
  const accessToken = (await jwt()).sign({ sub: user.id, role: user.role }, jwtSecret, { expiresIn: '15m' })
  return { status: 201, content: { accessToken }, headers }
}

const authenticated = async request => {
  const { verify } = await jwt()
  try {
    return verify((request.headers.authorization ?? '').replace(/^Bearer /, ''), jwtSecret)
  } catch {
    throw new HttpError(401, 'Unauthorized')
  }
}

const JOBS_CACHE = 'cache:jobs:open'
const openJobs = async () => {
  const cached = await redis.get(JOBS_CACHE)
  if (cached) return JSON.parse(cached)
  const jobs = await prisma.job.findMany({
    where: { status: 'open' }, orderBy: { createdAt: 'desc' }, take: 20,
    select: { id: true, title: true, status: true, quotes: { select: { id: true, status: true, amountCents: true } } },
  })
  await redis.set(JOBS_CACHE, JSON.stringify(jobs), 'EX', 10)
  return jobs
}

const createJob = async ({ request, json }) => {
  const { sub } = await authenticated(request)
  const { title } = json()
  if (!title) throw new HttpError(400, 'title is required')
  const job = await prisma.job.create({ data: { title, customerId: sub }, select: { id: true, title: true, status: true } })
  await (await reminders()).add('job-created', { jobId: job.id }, { removeOnComplete: 1000, removeOnFail: 1000 })
  await redis.unlink(JOBS_CACHE)
  io.emit('job', job)
  return { status: 201, content: job, headers: {} }
}

const webhook = async ({ request, raw }) => {
  const { webhooks } = await stripe()
  let event
  try {
    event = webhooks.constructEvent(raw, request.headers['stripe-signature'] ?? '', webhookSecret)
  } catch (error) {
    log('error', 'POST stripe/webhook: Webhook signature verification failed', { error: error.message.split('\n')[0] })
    throw new HttpError(400, 'Webhook signature verification failed')
  }
  // Deliveries are repeated by Stripe for days: each event id counts once.
  const first = await redis.set(`stripe:event:${event.id}`, event.type, 'EX', 3 * 86_400, 'NX')
  log('info', 'POST stripe/webhook', { event: event.id, type: event.type, duplicate: !first })
  return { received: true }
}

const server = serve({
  name: 'servicelink-api',
  port: number('PORT', 3001),
  origins,
  routes: {
    'GET /': () => ({ name: 'ServiceLink API', version: release.version }),
    'GET /health': health,
    'POST /auth/login': login,
    'GET /auth/me': ({ request }) => authenticated(request),
    'GET /jobs': openJobs,
    'POST /jobs': createJob,
    'POST /stripe/webhook': webhook,
  },
  stop: async () => {
    // Not quit(): where Redis is away, its answer would be waited for.
    subscriber.disconnect()
    redis.disconnect()
    await prisma.$disconnect()
  },
})
const { io, subscriber } = realtime(server, redis, origins)
process.once('SIGTERM', () => behaviour !== 'ignore-term' && io.disconnectSockets(true))
