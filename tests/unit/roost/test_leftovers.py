"""Whether a server of an earlier start still runs."""

import os
import subprocess
import sys
from pathlib import Path

from roost.embedded.postgres import _runs_on


def test_a_process_runs_on_the_directory_that_it_is_in(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE) as process:
        assert _runs_on(process.pid, tmp_path)
        assert not _runs_on(process.pid, tmp_path.parent)
        process.communicate(b"\n")


def test_a_process_that_ended_and_was_not_reaped_runs_nowhere(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], cwd=tmp_path)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert not _runs_on(process.pid, tmp_path)
    process.wait()
    assert not _runs_on(process.pid, tmp_path)
