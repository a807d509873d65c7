"""`scripts/async-rules` finds what flake8 with flake8-async finds, only faster."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BAD = {
    "ASYNC100": """
        async def work() -> None:
            with trio.move_on_after(1):
                print()
    """,
    "ASYNC101": """
        async def work():
            async with trio.open_nursery():
                yield 1
    """,
    "ASYNC102": """
        async def work() -> None:
            try:
                print()
            finally:
                await trio.sleep(1)
    """,
    "ASYNC103": """
        async def work() -> None:
            try:
                await trio.sleep(1)
            except BaseException:
                print()
    """,
    "ASYNC105": """
        async def work() -> None:
            trio.sleep(1)
    """,
    "ASYNC110": """
        async def work() -> None:
            while work:
                await trio.sleep(1)
    """,
    "ASYNC220": """
        async def work() -> None:
            subprocess.Popen("true")
    """,
    "ASYNC300": """
        async def work() -> None:
            asyncio.create_task(work())
    """,
}
IMPORTS = "import asyncio\nimport subprocess\n\nimport trio\n"


def _text(body: str) -> str:
    return IMPORTS + "\n".join(line[8:] for line in body.splitlines())


def _told(*command: str | Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not done.stderr
    assert done.returncode == bool(done.stdout)
    return sorted(done.stdout.splitlines())


def test_it_finds_what_flake8_finds(tmp_path: Path) -> None:
    files = []
    for code, body in BAD.items():
        files.append(tmp_path / f"{code}.py")
        files[-1].write_text(_text(body))
    silenced = tmp_path / "silenced.py"
    silenced.write_text(
        _text(BAD["ASYNC105"]).replace("sleep(1)", "sleep(1)  # noqa: ASYNC105 (why)")
        + _text(BAD["ASYNC300"]).replace("(work())", "(work())  # noqa: ASYNC300")
    )
    found = _told("scripts/async-rules", *files, silenced)
    assert {line.split()[1] for line in found} == {*BAD, "ASYNC119"}
    assert found == _told("-m", "flake8", "--jobs=1", *files, silenced)


@pytest.mark.parametrize(("folder", "is_found"), [("tests", False), ("bench", True)])
def test_a_rule_is_ignored_where_flake8_ignores_it(
    tmp_path: Path, folder: str, is_found: bool
) -> None:
    path = tmp_path / folder / "asking.py"
    path.parent.mkdir()
    path.write_text(_text(BAD["ASYNC110"]))
    command: list[str | Path] = [
        sys.executable,
        ROOT / "scripts/async-rules",
        f"{folder}/asking.py",
    ]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == is_found
