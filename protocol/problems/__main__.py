"""Writes what is made of the texts, in the repository's root: `python -m protocol.problems`."""

import json
from pathlib import Path

from protocol.problems import messages, objects, outcomes, people, requests, schedules
from protocol.problems.detail import TEXTS

INTRODUCTION = """\
# Codes of problems

Every error answer of the REST API has a `code` and `params` beside its English `detail`, and for
422 `error_codes` with the same for each field of `errors`. A code keeps its meaning; texts may
become better. A client that shows problems in another language chooses its text by the code and
fills in the parameters; for a code that it does not know, it says something general.

```json
{"type": "about:blank", "title": "Conflict", "status": 409, "detail": "Only 3 Lamp in stock",
 "code": "in_stock", "params": {"count": 3, "product": "Lamp"}}
```

```json
{"type": "about:blank", "title": "Invalid fields", "status": 422,
 "detail": "name: must not be empty", "code": "invalid", "params": {},
 "errors": {"name": "must not be empty"},
 "error_codes": {"name": {"code": "empty", "params": {}}}}
```

Stored records have the same beside their `detail`, on REST, on the WebSocket and in what webhooks
send: refused messages and a device's recent messages, alarms, commands, occurrences and entries of
the calendar, webhook deliveries, refused lines of an import; and entries of the activity log beside
their `subject`. `code` is null where there is no text, where it is in the words of others (a
device's answer, a receiver's answer) or a name, and in older records.

Parameters are numbers, or texts that can be shown as they are; `state` is a word of a life cycle,
`problem` is what a parser, a library or a server said. Texts in small letters are about a field and
read on from its name, or are about a record.
This page is written by `python -m protocol.problems`.
"""

SECTIONS = {
    "Requests": requests.TEXTS,
    "People": people.TEXTS,
    "Objects": objects.TEXTS,
    "Schedules": schedules.TEXTS,
    "Refused messages": messages.TEXTS,
    "Outcomes": outcomes.TEXTS,
}


def page() -> str:
    parts = [INTRODUCTION]
    for title, texts in SECTIONS.items():
        rows = "".join(f"| `{code}` | {text} |\n" for code, text in texts.items())
        parts.append(f"\n## {title}\n\n| code | text |\n|---|---|\n{rows}")
    return "".join(parts)


FILES = {
    "docs/problems.md": page(),
    "web/dashboard/src/words/problems.json": json.dumps(TEXTS, indent=2) + "\n",
}

if __name__ == "__main__":
    for path, text in FILES.items():
        Path(path).write_text(text)
