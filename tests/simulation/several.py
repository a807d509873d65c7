"""A message of several readings, one of which is right, in every form that loses nothing."""

import json


def payload_of(key: str, number: int, ts: int) -> tuple[bytes, str]:
    """Its bytes by the number, and what tells the reading of it that is refused from all others."""
    refused = int(f"9{number}")
    forms = (
        {"ts": ts, "values": {key: number, "nowhere": refused}},
        {"ts": ts, "values": {key: number}, "nowhere": refused},
    )
    written = (
        *(json.dumps(form) for form in forms),
        f'{{"ts": {ts}, "nowhere-{refused}": NaN, "{key}": {number}}}',
        f'{{"{key}": {refused}, "ts": {ts}, "{key}": {number}}}',
        f'[{{"ts": {ts}, "{key}": {number}}}, {{"id": {refused}, "nowhere-{refused}": -inf}}]',
    )
    return written[number % len(written)].encode(), f"{refused}"
