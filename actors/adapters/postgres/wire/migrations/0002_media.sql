-- The media library: one row for each upload of a user; the bytes are files named by their sha256.

CREATE TABLE media (
    num          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           uuid NOT NULL UNIQUE,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    filename     text NOT NULL,
    content_type text NOT NULL,
    size         bigint NOT NULL CHECK (size > 0),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    width        integer,
    height       integer,
    created_at   timestamptz NOT NULL
);
CREATE INDEX media_user ON media (user_id, num);
-- A user has a content once; by sha256 alone it tells whether anybody still has it.
CREATE UNIQUE INDEX media_content ON media (sha256, user_id);
