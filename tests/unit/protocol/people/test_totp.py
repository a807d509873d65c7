"""Codes that change with time, by the examples of RFC 6238."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from protocol.people.totp import ACCOUNT_MAX, PERIOD_US, code_at, in_letters, step_of, uri_of
from protocol.times import SECOND_US

# RFC 6238, appendix B, for SHA-1; it shows eight digits, of which apps show the last six.
SECRET = b"12345678901234567890"
EXAMPLES = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
NOW_S = 1234567890
NOW = NOW_S * SECOND_US // PERIOD_US


@pytest.mark.parametrize(("at_s", "digits"), EXAMPLES.items())
def test_the_examples_of_the_standard(at_s: int, digits: str) -> None:
    assert step_of(digits[2:], SECRET, at_s * SECOND_US) == at_s // 30


@pytest.mark.parametrize(("off", "counts"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_may_be_off_by_one_step(off: int, counts: bool) -> None:
    found = step_of(code_at(SECRET, NOW + off), SECRET, NOW_S * SECOND_US)
    assert found == (NOW + off if counts else None)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_used_step_and_those_before_it_do_not_count(off: int) -> None:
    now_us = NOW_S * SECOND_US
    for used in range(NOW - 1, NOW + 2):
        found = step_of(code_at(SECRET, NOW + off), SECRET, now_us, after=used)
        assert found == (NOW + off if NOW + off > used else None)


@pytest.mark.parametrize(
    "code", ["", "00592", "0005924", "５００５９２４"[:6], "\ud800" * 6, "abcdef"]
)
def test_anything_else_is_no_code(code: str) -> None:
    assert step_of(code, SECRET, NOW_S * SECOND_US) is None


def test_an_app_reads_the_secret_and_whose_it_is() -> None:
    parts = urlsplit(uri_of(SECRET, "ada+x@exämple.org"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Roost:ada+x@exämple.org"
    assert parse_qs(parts.query) == {"secret": [in_letters(SECRET)], "issuer": ["Roost"]}
    assert in_letters(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def test_a_long_name_is_cut() -> None:
    path = urlsplit(uri_of(SECRET, "a" * 254)).path
    assert path == "/Roost:" + "a" * ACCOUNT_MAX
