"""Every problem has a code of the table, and every text the values that it needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.adapters.postgres.media import NEEDED_BY
from actors.adapters.postgres.wire.shares import FULL
from actors.device.connection_loop import LOOPS
from protocol.problems.__main__ import FILES, SECTIONS
from protocol.problems.coded import code_of
from protocol.problems.detail import TEXTS, Detail
from protocol.rest import patterns
from protocol.rest.bounds import place_of_feeds
from protocol.schedule.rrule import ELSEWHERE
from roost.embedded.broker_words import EARLY
from web.http.missing import CODES

ROOT = Path(__file__).parents[4]
ROOMS = ("protocol", "actors", "web", "roost")


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.parent.name != "problems":
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def details(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Detail":
            yield node


def test_every_detail_has_a_code_of_the_table_and_its_values() -> None:
    wrong = []
    for path, tree in sources():
        for call in details(tree):
            code = call.args[0]
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                given = {keyword.arg for keyword in call.keywords}
                if code.value not in TEXTS or given != places(TEXTS[code.value]):
                    wrong.append(f"{path}:{call.lineno} {code.value} {given}")
    assert wrong == []


def test_every_code_is_used() -> None:
    words = {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(TEXTS) - words == set()


@pytest.mark.parametrize(
    ("codes", "needed"),
    [
        (CODES.values(), set()),
        (NEEDED_BY, set()),
        (patterns.CODES.values(), set()),
        ((*FULL.values(), place_of_feeds(None), place_of_feeds("d")), {"most", "count"}),
        (ELSEWHERE.values(), {"part"}),
    ],
)
def test_codes_of_other_tables_have_texts(codes: list[str], needed: set[str]) -> None:
    for code in codes:
        assert places(TEXTS[code]) == needed, code


def test_a_code_is_in_one_table_and_in_small_letters() -> None:
    assert sum(map(len, SECTIONS.values())) == len(TEXTS)
    assert [code for code in TEXTS if not re.fullmatch(r"[a-z][a-z0-9_]*", code)] == []


def test_no_text_ends_with_a_full_stop_or_names_a_field_of_the_api() -> None:
    assert [code for code, text in TEXTS.items() if text.endswith(".")] == []
    named = {code for code, text in TEXTS.items() if re.search(r"[a-z]_[a-z]", text)}
    assert named == {"device_columns"}  # columns of a file, as they must be written


# Texts that are not Roost's own, are on no page, or have their code elsewhere.
WITHOUT_CODE = re.compile(
    r"CommandAck\("  # a device's own words
    r"|Outcome\(status="  # a receiver's own words
    r"|ConnectionsEnd\("  # a `Detail`
    r"|RefusalListed\("  # for a notice to the device
    r"|ProblemView\(|DeadLetter\(|log\.info\(|.*put_aside|DEAD_LETTERS\."
)


def names_given(call: ast.Call) -> set[str]:
    """The keyword arguments; of `**code_of(…)` the function."""
    return {each.arg or ast.unparse(each.value).partition("(")[0] for each in call.keywords}


def test_whoever_writes_a_detail_writes_its_code() -> None:
    """A page says the text in its reader's language by the code alone."""
    wrong = [
        f"{path}:{node.lineno} {ast.unparse(node)[:60]}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and "detail" in (given := names_given(node))
        and not given & {"coded", "code", "why", "code_of"}
        and WITHOUT_CODE.match(ast.unparse(node)) is None
    ]
    assert wrong == []


def test_what_the_activity_log_is_about_is_a_name_or_has_a_code() -> None:
    wrong = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.match(r"(note|note_soon|entry_of)\(call, |AuditEntry\(", ast.unparse(node))
        and (
            any(isinstance(each, ast.JoinedStr) for each in node.args)
            or re.search(r"subject='|, '[a-z_]+', '", ast.unparse(node))
        )
    ]
    assert wrong == []


def test_a_detail_is_english_with_its_values() -> None:
    assert str(Detail("in_stock", count=3, product="{Lamp}")) == "Only 3 {Lamp} in stock"
    assert str(Detail("file_too_large", most=10_000_000)).endswith("at most 10,000,000 bytes now")
    assert str(Detail("file_silent", seconds=30.0)) == "No data arrived for 30 s"
    assert str(Detail("too_large", most=0.5)) == "must be at most 0.5"
    assert str(Detail("too_large", most=0.1 + 0.2)) == "must be at most 0.3"
    assert str(Detail("too_large", most=-1e300)) == "must be at most -1e+300"


def test_a_stored_code_says_the_same_text_again() -> None:
    detail = Detail("value_below", value=1.5, limit=2)
    found = code_of(detail.coded)
    assert found == {"code": "value_below", "params": {"value": 1.5, "limit": 2}}
    assert Detail(found["code"], **found["params"]) == detail
    unwritable = code_of(Detail("topic_mistaken", topic="a\0\ud800", meant="feeds").coded)
    assert unwritable["params"]["topic"] == "a\\0?"


@pytest.mark.parametrize("coded", [None, "", "{", "[]", '{"code": 5}', '{"params": [1]}'])
def test_a_stored_code_that_nobody_can_read_is_none(coded: str | None) -> None:
    """The English text stays, and the list that it is in."""
    assert code_of(coded) == {"code": None, "params": {}}


@pytest.mark.parametrize("table", [EARLY, LOOPS])
def test_why_a_connection_ended_is_the_same_in_other_words(table: dict[str, str]) -> None:
    for code, other in table.items():
        assert places(TEXTS[code]) == places(TEXTS[other])
        assert TEXTS[code].startswith("the broker ended the connection: ")
        assert TEXTS[other].endswith(TEXTS[code])


@pytest.mark.parametrize("path", FILES)
def test_what_is_made_of_the_texts_is_up_to_date(path: str) -> None:
    """If this fails: python -m protocol.problems"""
    assert (ROOT / path).read_text() == FILES[path]
