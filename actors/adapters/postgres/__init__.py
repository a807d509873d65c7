"""PostgreSQL 15 or newer, the only place with asyncpg. Functions here are asyncio-flavored."""
