"""Dumps a database with `pg_dump`, and loads such a dump in one transaction.

    async with dumping(programs, url, snapshot) as data: async for piece in data: …
    async with loading(programs, url, after) as load: await load(piece)

A dump has Roost's tables alone (the schema `public`), no roles and no privileges, so that it can be
loaded by anybody. SQL logins are made anew from what is noted of them.

`pg_restore` writes statements, and `psql` runs them, because only so a dump of a newer server can
be loaded into an older one: `pg_restore` itself would set what that does not know. `psql` ends
without a COMMIT if this process is killed, so the transaction is undone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from roost.backup.programs import Programs, Running, running, without_password

OPTIONS = ("--no-password", "--schema=public", "--no-owner", "--no-privileges", "--no-comments")
# Of this size statements before the data are.
HEAD_MAX = 64 << 10
BEGIN = b"BEGIN;\n"
# What servers before PostgreSQL 17 do not know; and what is there already.
_UNKNOWN = (b"SET transaction_timeout = 0;\n", b"CREATE SCHEMA public;\n")

Load = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def dumping(
    programs: Programs, url: str, snapshot: str | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """A dump in pg_dump's custom format. The iterator raises `BackupFailed` if it failed."""
    address, password = without_password(url)
    options = ["--format=custom", *OPTIONS, f"--dbname={address}"]
    if snapshot is not None:
        options.append(f"--snapshot={snapshot}")
    command = programs.command("pg_dump", *options)
    async with running(command, password, stdout=True) as program:
        yield _all_of(program)


async def _all_of(program: Running) -> AsyncIterator[bytes]:
    async for data in program.stdout:
        yield bytes(data)
    await program.wait()


@asynccontextmanager
async def loading(
    programs: Programs, url: str, after: str = "", reader: Programs | None = None
) -> AsyncIterator[Load]:
    """Load a dump in one transaction: at the end of the block all of it is there, or nothing.

    Args:
        after: statements that belong to the transaction.
        reader: programs that know the dump; None: the same.

    Raises:
        BackupFailed: the dump cannot be loaded.
    """
    address, password = without_password(url)
    options = "--no-owner", "--no-privileges", "--file=-"
    script = (reader or programs).command("pg_restore", *options)
    psql = programs.command("psql", "--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null")
    psql += ["--set=ON_ERROR_STOP=1", f"--dbname={address}"]
    async with (
        running(psql, password, stdin=True) as into,
        running(script, {}, stdin=True, stdout=True) as out,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_pass_on, out, into, after)

        async def load(data: bytes) -> None:
            try:
                await out.stdin.send_all(data)
            except trio.BrokenResourceError:
                await out.wait()

        yield load
        await out.stdin.aclose()


async def _pass_on(out: Running, into: Running, after: str) -> None:
    """From one program to the other; the COMMIT only when both did well."""
    try:
        await into.stdin.send_all(BEGIN)
        is_head, head = True, b""
        async for data in out.stdout:
            if is_head:
                head += data
                if len(head) < HEAD_MAX:
                    continue
                is_head, data = False, _known(head)
            await into.stdin.send_all(data)
        if is_head:
            await into.stdin.send_all(_known(head))
        await out.wait()
        await into.stdin.send_all(after.encode() + b"COMMIT;\n")
        await into.stdin.aclose()
    except trio.BrokenResourceError:
        await into.fail()
    await into.wait()


def _known(head: bytes) -> bytes:
    """Without the statements that this server may not know, or has no need of."""
    statements, copy, data = head.partition(b"\nCOPY ")
    for statement in _UNKNOWN:
        statements = statements.replace(b"\n" + statement, b"\n")
    return statements + copy + data
