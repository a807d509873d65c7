"""With what: the real sides of the ports, and their memory twins. Only here is asyncio."""
