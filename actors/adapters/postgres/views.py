"""What a user may read with SQL: views of their own, and a role that sees nothing else.

For Grafana's PostgreSQL source, and for whoever wants to ask more than REST answers. The role may
read three views in a schema of its own name, and change nothing.
"""

from typing import Any

ROLE = "roost_user_"
CONNECTIONS_MAX = 10
WITHIN_S = 30

_VIEWS = """
CREATE SCHEMA IF NOT EXISTS {role};
CREATE OR REPLACE VIEW {role}.devices WITH (security_barrier) AS
    SELECT id, code, name, status, temperature, humidity, latitude, longitude, firmware,
        last_seen_at
    FROM public.devices WHERE user_id = '{user}'::uuid;
CREATE OR REPLACE VIEW {role}.readings WITH (security_barrier) AS
    SELECT v.ts AS "time", d.code AS device_code, f.key AS feed_key, f.name AS feed_name, f.unit,
        v.number, v.text, v.boolean, v.flagged
    FROM public.feeds f JOIN public.feed_values v ON v.feed_num = f.num
        LEFT JOIN public.devices d ON d.num = v.device_num AND d.user_id = f.user_id
    WHERE f.user_id = '{user}'::uuid;
CREATE OR REPLACE VIEW {role}.readings_by_hour WITH (security_barrier) AS
    SELECT r.ts AS "time", d.code AS device_code, f.key AS feed_key, f.name AS feed_name, f.unit,
        r.count, coalesce(r.mean, r.sum / r.count) AS avg, r.min, r.max
    FROM public.feeds f JOIN public.feed_rollups r ON r.feed_num = f.num AND r.level = 2
        LEFT JOIN public.devices d ON d.id = f.device_id
    WHERE f.user_id = '{user}'::uuid;
GRANT USAGE ON SCHEMA {role} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {role} TO {role};
"""


def role_of(user_id: str) -> str:
    """The name of a user's role and schema; `user_id` is a UUID."""
    return ROLE + user_id.replace("-", "")


async def grant(connection: Any, user_id: str, password: str) -> str:
    """Make the role and its views, or give the role a new password; answers with its name."""
    role = role_of(user_id)
    async with connection.transaction():
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        # Neither takes parameters; the name is of hexadecimal digits, the server quotes the rest.
        quoted = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(
            f"{'ALTER' if known else 'CREATE'} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB"
            f" NOCREATEROLE NOINHERIT CONNECTION LIMIT {CONNECTIONS_MAX} PASSWORD {quoted}"
        )
        await connection.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
        await connection.execute(f"ALTER ROLE {role} SET statement_timeout = '{WITHIN_S}s'")
        await connection.execute(f"ALTER ROLE {role} SET search_path = {role}")
        await connection.execute(_VIEWS.format(role=role, user=user_id))
    return role


async def revoke(connection: Any, user_id: str) -> bool:
    """Drop the role with its views; False where there was none."""
    role = role_of(user_id)
    async with connection.transaction():
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            return False
        await connection.execute(f"DROP SCHEMA IF EXISTS {role} CASCADE")
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")
    return True
