"""What becomes of a second factor: when it counts, and what a code uses up."""

import re

import pytest

from protocol.errors import Conflict, Forbidden
from protocol.people.second_factor import (
    SecondFactor,
    begun,
    confirmed,
    kind_of,
    recovery_code,
    used,
)
from protocol.people.totp import PERIOD_US, code_at
from tests.unit.makers import NOW, USER

SECRET = b"s" * 20
STEP = NOW // PERIOD_US
CODES = [recovery_code(bytes([n]) * 32) for n in range(3)]


def on() -> SecondFactor:
    return confirmed(begun(None, USER, SECRET), code_at(SECRET, STEP), NOW, CODES)


def test_it_counts_once_a_code_confirms_it() -> None:
    waiting = begun(None, USER, SECRET)
    assert not waiting.is_on
    with pytest.raises(Forbidden):
        confirmed(waiting, code_at(SECRET, STEP + 2), NOW, CODES)
    assert on().is_on
    assert (on().confirmed_us, on().last_step, len(on().recovery_sha256)) == (NOW, STEP, 3)


def test_one_that_waits_is_replaced_and_one_that_counts_is_not() -> None:
    assert begun(begun(None, USER, SECRET), USER, b"t" * 20).secret == b"t" * 20
    with pytest.raises(Conflict):
        begun(on(), USER, b"t" * 20)
    for wrong in (None, on()):
        with pytest.raises(Conflict):
            confirmed(wrong, code_at(SECRET, STEP), NOW, CODES)


def test_a_code_of_the_app_counts_once() -> None:
    factor = on()
    assert used(factor, code_at(SECRET, STEP), NOW) is None  # that confirmed it
    after = used(factor, code_at(SECRET, STEP + 1), NOW)
    assert after is not None and after.last_step == STEP + 1
    assert used(after, code_at(SECRET, STEP + 1), NOW + PERIOD_US) is None


@pytest.mark.parametrize(
    "typed", [str, str.upper, lambda code: code.replace("-", " "), "\t{} ".format]
)
def test_a_recovery_code_counts_once_however_it_is_typed(typed: object) -> None:
    assert callable(typed)
    after = used(on(), typed(CODES[1]), NOW)
    assert after is not None and len(after.recovery_sha256) == 2
    assert used(after, CODES[1], NOW) is None
    assert used(after, CODES[2], NOW) is not None


def test_apps_show_their_codes_in_two_groups() -> None:
    code = code_at(SECRET, STEP + 1)
    assert used(on(), f" {code[:3]} {code[3:]}", NOW) is not None


@pytest.mark.parametrize("code", ["", "-", "\ud800", "123456789", CODES[0][:-1]])
def test_anything_else_is_no_code(code: str) -> None:
    assert kind_of(code) == "recovery"
    assert used(on(), code, NOW) is None


def test_a_recovery_code_is_easy_to_write_down() -> None:
    assert len(set(CODES)) == 3
    for code in CODES:
        assert re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", code)
