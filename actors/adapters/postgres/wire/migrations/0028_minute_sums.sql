-- Sums of minutes expire, so they move to tables of their own, partitioned by weeks: a week is
-- dropped at once. Sums of hours are kept, and are copied. The former tables become the partitions
-- of all minutes until a Monday in the future. They keep their hours (level 2), which nobody reads
-- there any more, until they are dropped.
--
-- `wire/preparing.py` has promised that they contain nothing later: else they would be looked
-- through here, while nobody can use them.

-- Nobody sums up meanwhile.
SELECT true FROM rollup_turn FOR UPDATE;
-- Sums of earlier minutes do not exist, or are not used. Readings that are late for them are summed
-- up by hours. Since when that is so: what charts may still read is not dropped yet.
ALTER TABLE rollup_turn
    ADD COLUMN minutes_since timestamptz NOT NULL DEFAULT '1970-01-01 00:00+00',
    ADD COLUMN moved_at timestamptz NOT NULL DEFAULT now();

CREATE TABLE feed_hours (LIKE feed_rollups INCLUDING DEFAULTS);
ALTER TABLE feed_hours ALTER level SET DEFAULT 2,
    ADD CONSTRAINT feed_hours_sum CHECK (coalesce(sum, mean) IS NOT NULL);
INSERT INTO feed_hours SELECT * FROM feed_rollups WHERE level = 2;
ALTER TABLE feed_hours ADD PRIMARY KEY (feed_num, level, ts);

CREATE TABLE user_hours (LIKE user_rollups INCLUDING DEFAULTS);
ALTER TABLE user_hours ALTER level SET DEFAULT 2,
    ADD CONSTRAINT user_hours_sum CHECK (coalesce(sum, mean) IS NOT NULL);
INSERT INTO user_hours SELECT * FROM user_rollups WHERE level = 2;
ALTER TABLE user_hours ADD PRIMARY KEY (user_id, level, ts);

-- With the key of the former tables, which become partitions.
CREATE TABLE feed_minutes (LIKE feed_rollups INCLUDING DEFAULTS) PARTITION BY RANGE (ts);
ALTER TABLE feed_minutes ALTER level SET DEFAULT 1, ADD PRIMARY KEY (feed_num, level, ts);
CREATE TABLE user_minutes (LIKE user_rollups INCLUDING DEFAULTS) PARTITION BY RANGE (ts);
ALTER TABLE user_minutes ALTER level SET DEFAULT 1, ADD PRIMARY KEY (user_id, level, ts);

-- The views of users read hours.
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
            FROM public.feeds f JOIN public.feed_hours r ON r.feed_num = f.num AND r.level = 2
                LEFT JOIN public.devices d ON d.id = f.device_id
            WHERE f.user_id = %L::uuid', schema, substr(schema, 12)::uuid);
    END LOOP;
END $$;

DO $$
DECLARE
    old text;
    new text;
    promise text;
    until date;
    has_rows boolean;
BEGIN
    FOR old, new IN VALUES ('feed_rollups', 'feed_minutes'), ('user_rollups', 'user_minutes')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', old) INTO has_rows;
        IF has_rows THEN
            SELECT max(to_date(conname, '"before_"YYYY_MM_DD')) INTO until FROM pg_constraint
            WHERE conrelid = old::regclass AND convalidated
                AND conname ~ '^before_\d{4}_\d\d_\d\d$';
            IF until IS NULL THEN
                EXECUTE format(
                    'SELECT (date_bin(''7 days'', greatest(now(), max(ts)), ''2001-01-01'')'
                    ' + interval ''14 days'')::date FROM %I', old) INTO until;
            END IF;
            EXECUTE format('ALTER TABLE %I RENAME TO %I', old,
                new || to_char(until, '"_before_"YYYY_MM_DD'));
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
                new, new || to_char(until, '"_before_"YYYY_MM_DD'), until::text || ' 00:00+00');
            -- The bounds of the partition say it from now on.
            FOR promise IN SELECT conname FROM pg_constraint
                WHERE conrelid = (new || to_char(until, '"_before_"YYYY_MM_DD'))::regclass
                    AND conname ~ '^before_\d{4}_\d\d_\d\d$'
            LOOP
                EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I',
                    new || to_char(until, '"_before_"YYYY_MM_DD'), promise);
            END LOOP;
        ELSE
            EXECUTE format('DROP TABLE %I', old);
        END IF;
    END LOOP;
END $$;

-- For minutes outside of all weeks.
CREATE TABLE feed_minutes_default PARTITION OF feed_minutes DEFAULT;
CREATE TABLE user_minutes_default PARTITION OF user_minutes DEFAULT;
