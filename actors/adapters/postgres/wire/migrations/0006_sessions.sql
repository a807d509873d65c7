-- Sign-ins: sessions, one-time tickets, people of other identity providers, and who did what.

ALTER TABLE users
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN password_hash DROP NOT NULL,
    -- Whose word it is that this is the person, and by which name they know them.
    ADD COLUMN idp text NOT NULL DEFAULT 'roost',
    ADD COLUMN subject text,
    ADD CONSTRAINT users_can_sign_in CHECK (
        idp = 'roost' AND subject IS NULL AND email IS NOT NULL AND password_hash IS NOT NULL
        OR idp <> 'roost' AND subject IS NOT NULL);
CREATE UNIQUE INDEX users_subject ON users (idp, subject) WHERE subject IS NOT NULL;

-- A token works as long as its session is here.
CREATE TABLE sessions (
    num        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address    text NOT NULL,
    agent      text NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, num);

CREATE TABLE tickets (
    sha256     bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX tickets_session ON tickets (session_id);

CREATE TABLE audit_log (
    num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    at      timestamptz NOT NULL,
    action  text NOT NULL,
    subject text NOT NULL,
    address text NOT NULL,
    agent   text NOT NULL
);
CREATE INDEX audit_log_user ON audit_log (user_id, num);
CREATE INDEX audit_log_old ON audit_log USING brin (at);
