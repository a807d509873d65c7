-- The lead was an advisory lock of a connection, which the kernel keeps alive while its process
-- hangs. It is a lease now: its holder renews it, and whoever finds it run out takes it.
--
-- A process of the version before knows nothing of the lease and would lead beside it, so it has to
-- end first, and every standby with it: the lock is theirs (key 0x526F6F7375).
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 82
        AND objid = 1869575029 AND objsubid = 1 AND database =
            (SELECT oid FROM pg_database WHERE datname = current_database()))
    THEN
        RAISE 'an older Roost still runs on this database: stop all of them, then it is upgraded';
    END IF;
END $$;
ALTER TABLE leads
    ADD holder text,
    ADD expires_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD renewals bigint NOT NULL DEFAULT 0;
