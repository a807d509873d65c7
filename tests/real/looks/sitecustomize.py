"""Records what a process's main thread opens, lists, starts or resolves.

A test puts this folder on the PYTHONPATH of a process. Each event is a line in the file
`TEST_LOOKS`."""

import os
import sys
import threading
from types import FrameType
from typing import Any

_LOOKS = {
    *("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename"),
    *("subprocess.Popen", "socket.getaddrinfo", "socket.gethostbyname"),
}
_DEPTH = 12


def _watch(path: str) -> None:
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    main = threading.get_ident()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in _LOOKS or threading.get_ident() != main:
            return
        try:
            frame: FrameType | None = sys._getframe(1)
        except ValueError:  # the interpreter itself, before Roost's code
            return
        places: list[str] = []
        while frame is not None and len(places) < _DEPTH:
            code = frame.f_code
            places.append(f"{'/'.join(code.co_filename.split('/')[-3:])}:{code.co_name}")
            frame = frame.f_back
        os.write(out, f"{event} {str(args)[:120]} in {' < '.join(places)}\n".encode())

    sys.addaudithook(hook)


if "TEST_LOOKS" in os.environ:
    _watch(os.environ["TEST_LOOKS"])
