-- Who listens over MQTT to what Roost took: one read-only login for each user who wants it.
CREATE TABLE listeners (
    user_id         uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    username        text NOT NULL UNIQUE,
    password_sha256 bytea NOT NULL,
    home_assistant  boolean NOT NULL,
    created_at      timestamptz NOT NULL
);
