-- What the lab's ServiceLink works on: 200 customers and 50 providers, 400 jobs with quotes and assignments.
INSERT INTO "User" ("id", "email", "name", "role", "passwordHash")
SELECT 'customer-' || n, 'customer' || n || '@example.com', 'Customer ' || n, 'CUSTOMER', 'none:00'
FROM generate_series(1, 200) AS n;

INSERT INTO "User" ("id", "email", "name", "role", "passwordHash", "rating")
SELECT 'provider-' || n, 'provider' || n || '@example.com', 'Provider ' || n, 'PROVIDER', 'none:00', 1 + n % 5
FROM generate_series(1, 50) AS n;

INSERT INTO "Job" ("id", "title", "status", "customerId")
SELECT 'job-' || n, 'Job ' || n, CASE WHEN n % 3 = 0 THEN 'done' ELSE 'open' END, 'customer-' || 1 + n % 200
FROM generate_series(1, 400) AS n;

INSERT INTO "Quote" ("id", "jobId", "providerId", "status", "amountCents")
SELECT 'quote-' || n, 'job-' || 1 + n % 400, 'provider-' || 1 + n % 50, 'pending', 1000 + 10 * n
FROM generate_series(1, 1200) AS n;

INSERT INTO "Assignment" ("id", "jobId", "providerId", "status", "scheduledStart")
SELECT 'assignment-' || n, 'job-' || n, 'provider-' || 1 + n % 50,
       CASE WHEN n % 2 = 0 THEN 'scheduled' ELSE 'in_progress' END, now() + n * interval '1 hour'
FROM generate_series(1, 200) AS n;
