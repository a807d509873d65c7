-- A second factor of a user: the secret that an authenticator app has too, and digests of the recovery
-- codes that are left. It counts once a code has confirmed it; a step's code counts once.
CREATE TABLE second_factors (
    user_id         uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret          bytea NOT NULL,
    confirmed_at    timestamptz,
    last_step       bigint NOT NULL,
    recovery_sha256 bytea[] NOT NULL
);
