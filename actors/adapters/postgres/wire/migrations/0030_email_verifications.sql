-- Whether a user has proved to read the mail of an address. Accounts of before count as verified: their
-- owners got mail so far. A new address waits in email_pending until its link was opened.
ALTER TABLE users
    ADD COLUMN email_verified_at timestamptz,
    ADD COLUMN email_pending     text;
UPDATE users SET email_verified_at = now() WHERE email IS NOT NULL;

-- Links that confirm an address; only their SHA-256 is stored.
CREATE TABLE email_verifications (
    sha256     bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    email      text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX email_verifications_user ON email_verifications (user_id);
