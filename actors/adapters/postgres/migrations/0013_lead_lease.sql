-- The lead was an advisory lock of a connection, which the kernel keeps alive while its process
-- hangs. It is a lease now: its holder renews it, and whoever finds it run out takes it.
ALTER TABLE leads
    ADD holder text,
    ADD expires_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD renewals bigint NOT NULL DEFAULT 0;
