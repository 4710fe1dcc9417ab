// Copyright: (c) 2026, linkops.runbooks contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Login attempts are limited per user with the Redis storage of @nestjs/throttler's users.
import { createHash } from 'node:crypto'
import { HttpError, once } from '../common/http.mjs'
import { log, number } from '../common/release.mjs'

export const THROTTLER = 'login'
const CONTEXT = 'AuthController-login'

/** The key as ThrottlerGuard.generateKey of @nestjs/throttler 6 makes it: class, handler, throttler name, tracker. */
export const throttleKey = tracker => createHash('sha256').update(`${CONTEXT}-${THROTTLER}-${tracker}`).digest('hex')

/** A function that counts one attempt and throws 429 beyond the limit; the tracker is the e-mail address. */
export const loginThrottle = redis => {
  const storage = once(async () => {
    const { ThrottlerStorageRedisService } = await import('@nest-lab/throttler-storage-redis')
    return new ThrottlerStorageRedisService(redis)
  })
  const milliseconds = 1000 * number('AUTH_LOGIN_RATE_TTL_SECONDS', 60)
  const common = number('AUTH_LOGIN_RATE_LIMIT', 10)
  const limitOf = role => (role ? number(`AUTH_LOGIN_RATE_LIMIT_${role}`, common) : common)
  return async (request, email, role) => {
    const limit = limitOf(role)
    const tracker = email.toLowerCase()
    const hits = await (await storage()).increment(throttleKey(tracker), milliseconds, limit, milliseconds, THROTTLER)
    if (hits.isBlocked) {
      log('warn', 'Too many requests', { route: 'POST /auth/login', limit, retryAfter: hits.timeToBlockExpire })
      throw new HttpError(429, 'ThrottlerException: Too Many Requests', { [`retry-after-${THROTTLER}`]: hits.timeToBlockExpire, 'retry-after': hits.timeToBlockExpire })
    }
    return {
      [`x-ratelimit-limit-${THROTTLER}`]: limit,
      [`x-ratelimit-remaining-${THROTTLER}`]: Math.max(0, limit - hits.totalHits),
      [`x-ratelimit-reset-${THROTTLER}`]: hits.timeToExpire,
    }
  }
}
