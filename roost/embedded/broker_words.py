"""What nats-server writes into its log about devices' messages that it did not take. Pure.

    refused = refused_of(line)      # None for any other line

The lines are those of nats-server 2.15 (`server/client.go`, `server/mqtt.go`), guarded by
`tests/real/test_denied_topics.py`. A device's client id is quoted there, so nobody can write a line
of his own into it.
"""

import re

import msgspec

from actors.adapters.nats.retained import topic_of
from actors.ingest.broker_refusals import BrokerRefusal
from protocol.device.topics import unmapped
from protocol.problems.detail import Detail

_LINE = re.compile(r'\[\d+\] \S+ \S+ \[ERR\] \S+ - mid:(\d+) - "(device-[0-9a-f-]{36})" - (.*)')
_DENIED = re.compile(r'(Publish|Subscription) Violation - Subject "([^"]*)"')
_WILDCARD = re.compile(r"wildcards not allowed in publish's topic: (\".*\")")
# Of NATS and of MQTT.
_FILTER = {"*": "+", ">": "#"}
_UNSUPPORTED = "character not supported for MQTT topics"
_FILTER_UNSUPPORTED = re.compile(rf'invalid topic (".*"): {_UNSUPPORTED}')
_LARGE = re.compile(r"maximum payload exceeded: (\d+) vs (\d+)")
# Packets that are none of MQTT 3.1.1, in the server's words. It ends the connection.
_MALFORMED = re.compile(
    r"(?:with )?QoS=|topic cannot be empty|invalid (?:utf8|null character|fixed header|reserved)"
    r"|(?:un)?subscribe protocol|received |error reading "
)
MALFORMED_SHOWN_MAX = 200

DENIED = {
    "Publish": Detail("broker_denied"),
    "Subscription": Detail("broker_denied_filter"),
}
# Of connections that have not logged in, whose client id may be another's.
EARLY = {
    "ended_space": "early_space",
    "ended_wildcard": "early_wildcard",
    "ended_too_large": "early_too_large",
    "ended_malformed": "early_malformed",
}


def refused_of(line: str) -> BrokerRefusal | None:
    found = _LINE.match(line)
    if found is None:
        return None
    connection, client_id, what = int(found[1]), found[2], found[3]
    if (denied := _DENIED.match(what)) is not None:
        if not denied[2]:
            return None  # of a filter that the line before names
        topic = unmapped(topic_of(denied[2]))
        if denied[1] == "Subscription":
            topic = "/".join(_FILTER.get(level, level) for level in topic.split("/"))
        return BrokerRefusal(client_id=client_id, topic=topic, why=DENIED[denied[1]])
    if (invalid := _FILTER_UNSUPPORTED.match(what)) is not None:
        topic = invalid[1][1:-1]
        return BrokerRefusal(client_id=client_id, topic=topic, why=Detail("broker_filter_space"))
    topic, why = "", None
    if what.startswith(_UNSUPPORTED):
        why = Detail("ended_space")
    elif (wild := _WILDCARD.match(what)) is not None:
        topic, why = wild[1][1:-1], Detail("ended_wildcard")
    elif (large := _LARGE.match(what)) is not None:
        why = Detail("ended_too_large", size=int(large[1]), most=int(large[2]))
    elif _MALFORMED.match(what):
        why = Detail("ended_malformed", problem=what[:MALFORMED_SHOWN_MAX])
    if why is None:
        return None
    return BrokerRefusal(
        client_id=client_id, topic=topic, why=why, is_end=True, connection=connection
    )


def of_nobody(refused: BrokerRefusal) -> BrokerRefusal:
    """The same of a connection that had not logged in: the end of it says nothing about the device,
    because anybody can use its client id until then."""
    why = Detail(EARLY[refused.why.code], **refused.why.params)
    return msgspec.structs.replace(refused, why=why, is_end=False)
