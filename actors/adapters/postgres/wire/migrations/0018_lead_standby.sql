-- A leader that the broker does not answer leaves the lead to another process, where one is ready:
-- the last that asked, was refused and could serve.
ALTER TABLE leads
    ADD standby text,
    ADD standby_until timestamptz NOT NULL DEFAULT '-infinity';
