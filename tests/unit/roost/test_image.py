"""What the image promises, read from its Dockerfile: no engine is needed for that."""

import re
from pathlib import Path

LINES = (Path(__file__).parents[3] / "Dockerfile").read_text().splitlines()


def said(word: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(word + " ")]


def test_both_stages_begin_with_one_base_that_is_named_by_its_digest() -> None:
    bases = [base.split(" AS ")[0] for base in said("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:[\w.-]+@sha256:[0-9a-f]{64}", bases[0])


def test_it_runs_as_a_user_by_number_and_says_whether_it_lives() -> None:
    assert said("USER") == ["1000:1000"]
    assert len(said("HEALTHCHECK")) == 1
    assert any("/healthz" in line for line in LINES)
