CREATE TABLE media (
    num bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE, filename text NOT NULL,
    content_type text NOT NULL, size bigint NOT NULL, sha256 bytea NOT NULL, width integer, height integer,
    created_at timestamptz NOT NULL);
