"""PostgreSQL 15 or newer, the only place that uses asyncpg. Functions here are asyncio-flavored."""
