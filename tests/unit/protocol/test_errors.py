"""Errors in words: `in_words` is used everywhere, never `str`, which is empty for many errors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

import protocol
from protocol.errors import Unavailable, in_words

SOURCES = ("protocol", "actors", "web", "roost")
# These are raised with a message for the client, so `str` is right for them.
SPEAKING = {
    "ValueError",
    "msgspec.ValidationError",
    "msgspec.DecodeError",
    "csv.Error",
    "cyclopts.CycloptsError",
}


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a\n  mistake"), "ValueError: a mistake"),
        (KeyError("k"), "KeyError: 'k'"),
        (Unavailable("the broker did not answer"), "the broker did not answer"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "ConnectionRefusedError: Connection refused",
        ),
        (TimeoutError(), "TimeoutError: no answer in time"),
        (trio.TooSlowError(), "TooSlowError: no answer in time"),
        (EOFError(), "EOFError"),
        (raised(AssertionError()), "AssertionError in tests.unit.protocol.test_errors.raised"),
        (raised(EOFError(), OSError("cut")), "EOFError, because of OSError: cut"),
        (raised(TimeoutError(), EOFError()), "TimeoutError: no answer in time"),
        (Unavailable(), "Unavailable"),
        (
            BaseExceptionGroup(
                "", [TimeoutError(), ExceptionGroup("", [TimeoutError()]), OSError("x")]
            ),
            "TimeoutError: no answer in time; OSError: x",
        ),
    ],
)
def test_an_error_is_told_in_a_line(error: BaseException, words: str) -> None:
    assert in_words(error) == words


def told_by_str(tree: ast.Module) -> Iterator[int]:
    """The lines that format an exception (of an `except`, or a parameter) with `str`, `repr` or an
    f-string."""
    for scope in ast.walk(tree):
        names: set[str] = set()
        if isinstance(scope, ast.ExceptHandler):
            if scope.name and scope.type and ast.unparse(scope.type) not in SPEAKING:
                names = {scope.name}
        elif isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {
                each.arg
                for each in scope.args.args
                if each.annotation and is_error(ast.unparse(each.annotation))
            }
        if names:
            yield from (
                node.lineno
                for node in ast.walk(scope)
                if isinstance(node, ast.expr) and tells(node, names)
            )


def is_error(kind: str) -> bool:
    return kind.endswith(("Error", "Exception", "Unavailable")) and kind not in SPEAKING


def tells(node: ast.expr, names: set[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        of = node.args[0] if node.func.id in ("str", "repr") and node.args else None
    else:
        of = node.value if isinstance(node, ast.FormattedValue) else None
    return isinstance(of, ast.Name) and of.id in names


def test_no_error_is_told_by_what_str_makes_of_it() -> None:
    root = Path(protocol.__file__).parent.parent
    found = [
        f"{file.relative_to(root)}:{line}"
        for folder in SOURCES
        for file in sorted((root / folder).rglob("*.py"))
        if file.name != "errors.py" and "node_modules" not in file.parts
        for line in told_by_str(ast.parse(file.read_text()))
    ]
    assert found == []


def test_who_tells_it_so_is_found() -> None:
    lines = """\
try: ...
except OSError as error:
    log(str(error))
    log(f"it is {error!r}")
except ValueError as error:
    raise Invalid(str(error))
def tell(why: Exception): return repr(why)
"""
    assert sorted(told_by_str(ast.parse(lines))) == [3, 4, 7]
