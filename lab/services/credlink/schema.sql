-- CredLink keeps a digest of what it signed; it can be run again and again.
CREATE TABLE IF NOT EXISTS signature (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload_sha256 text        NOT NULL,
    signature      text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
