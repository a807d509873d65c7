-- A disabled account locks out everything that belongs to it; one that is being erased is disabled,
-- too, until its row is deleted last.
ALTER TABLE users
    ADD COLUMN disabled_at timestamptz,
    ADD COLUMN erasing_at  timestamptz;
CREATE INDEX users_disabled ON users (disabled_at) WHERE disabled_at IS NOT NULL;
