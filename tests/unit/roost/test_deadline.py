"""Whatever hangs at the end: the process ends, with its status and the reason in the log."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

# The end hangs in a task that cannot be cancelled.
PROGRAM = """
import trio
from roost import deadline, logs

logs.configure("info", "json")
deadline.END_WITHIN_S = 0.3

async def hang():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

async def fail():
    raise ValueError("a mistake")

async def failing():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        try:
            with deadline.for_failures():
                await trio.sleep_forever()
        finally:
            await hang()

async def failing_itself():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang)
        with deadline.for_failures():
            await fail()

async def stopping():
    deadline.end_within(0.3, status=0)
    await hang()

async def stopping_in_parts():
    deadline.tell_also(lambda: "")
    deadline.tell_also(lambda: "three messages are left to the broker")
    with deadline.part("the web server"):
        pass
    deadline.end_within(0.3, status=0)
    with deadline.part("PostgreSQL"):
        await hang()

async def well():
    with deadline.for_failures():
        await trio.sleep(0)
    await trio.sleep(0.6)

trio.run(WHAT)
"""


def run(what: str) -> tuple[int, list[dict[str, Any]]]:
    since_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("WHAT", what)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert time.monotonic() - since_s < 30
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("what", ["failing", "failing_itself"])
def test_a_failure_ends_the_process_with_status_1_and_its_reason(what: str) -> None:
    status, entries = run(what)
    assert status == 1
    assert "a mistake" in json.dumps(entries)
    assert entries[-1]["event"] == "the end took too long; ended without"
    assert any("hang" in task or "failing" in task for task in entries[-1]["tasks"])


def test_an_orderly_end_that_hangs_has_status_0() -> None:
    status, entries = run("stopping")
    assert status == 0
    assert entries[-1]["level"] == "warning"
    assert entries[-1]["reason"].endswith(" tasks did not end")


def test_what_did_not_end_and_what_is_left_is_said_in_words() -> None:
    status, entries = run("stopping_in_parts")
    assert status == 0
    part, left = entries[-1]["reason"].split("; ")
    assert part.startswith("PostgreSQL did not end within 0.")
    assert left == "three messages are left to the broker"


def test_who_ends_well_has_no_deadline() -> None:
    assert run("well") == (0, [])
