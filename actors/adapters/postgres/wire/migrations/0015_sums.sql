-- Sums that hold whatever comes, and what says which of them are behind.

-- No float64 holds every sum: such a one is null, and the mean tells of it. Rows from before have a
-- sum that fits, and no mean.
ALTER TABLE feed_rollups ALTER sum DROP NOT NULL, ADD COLUMN mean double precision,
    ADD CONSTRAINT feed_rollups_sum CHECK (coalesce(sum, mean) IS NOT NULL) NOT VALID;
ALTER TABLE user_rollups ALTER sum DROP NOT NULL, ADD COLUMN mean double precision,
    ADD CONSTRAINT user_rollups_sum CHECK (coalesce(sum, mean) IS NOT NULL) NOT VALID;

-- Of several processes one sums up at a time: who has locked this row. Deletions wait for it.
CREATE TABLE rollup_turn (id boolean PRIMARY KEY DEFAULT true CHECK (id));
INSERT INTO rollup_turn DEFAULT VALUES;

-- `rollup_log` keeps to minutes around now; `since` is the first of them.
ALTER TABLE rollup_log ADD COLUMN since integer;
UPDATE rollup_log SET since = (SELECT min(minute) FROM unnest(minutes) AS m (minute));
ALTER TABLE rollup_log ALTER since SET NOT NULL;
-- Minutes further back that got readings, and nobody has summed up since: charts look for theirs.
CREATE TABLE rollup_late (
    num      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id  uuid NOT NULL,
    feed_num integer NOT NULL,
    minute   integer NOT NULL,
    held     boolean NOT NULL DEFAULT false  -- its sums fail: it waits for its dead letter
);
CREATE INDEX rollup_late_feed ON rollup_late (feed_num, minute);
CREATE INDEX rollup_late_user ON rollup_late (user_id, minute);
-- From when to when (whole hours) the sums of a user are still those before a deletion.
CREATE TABLE user_rollups_stale (
    num     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    held    boolean NOT NULL DEFAULT false
);
CREATE INDEX user_rollups_stale_user ON user_rollups_stale (user_id, since);

-- Cancelled orders give back what they took, however much there is meanwhile.
ALTER TABLE products ALTER stock TYPE bigint;

-- What was deleted before is in the totals still: all of them are made again, the newest first.
INSERT INTO user_rollups_stale (user_id, since, until)
SELECT user_id, min(ts), max(ts) + interval '1 hour' FROM user_rollups WHERE level = 2 GROUP BY 1;

-- Views that were granted before divide the sum.
DO $$
DECLARE
    schema text;
BEGIN
    FOR schema IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^roost_user_[0-9a-f]{32}$'
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I.readings_by_hour WITH (security_barrier) AS
            SELECT r.ts AS "time", d.code AS device_code, f.key AS feed_key, f.name AS feed_name,
                f.unit, r.count, coalesce(r.mean, r.sum / r.count) AS avg, r.min, r.max
            FROM public.feeds f JOIN public.feed_rollups r ON r.feed_num = f.num AND r.level = 2
                LEFT JOIN public.devices d ON d.id = f.device_id
            WHERE f.user_id = %L::uuid', schema, substr(schema, 12)::uuid);
    END LOOP;
END $$;
