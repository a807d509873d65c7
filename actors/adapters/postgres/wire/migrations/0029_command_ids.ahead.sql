-- Built while others read and write. The id comes first: processes of the version before, which may
-- still run, look commands up by it alone.
DROP INDEX CONCURRENTLY IF EXISTS commands_of_user;
CREATE UNIQUE INDEX CONCURRENTLY commands_of_user ON commands (id, user_id);
