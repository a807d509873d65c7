"""What nats-server writes into its log about devices' messages that it did not take. Pure.

    refused = refused_of(line)      # None for any other line

The lines are those of nats-server 2.15 (`server/client.go`, `server/mqtt.go`), guarded by
`tests/real/test_denied_topics.py`. A device's client id is quoted there, so nobody can write a line
of his own into it.
"""

import re

from actors.adapters.nats.retained import topic_of
from actors.ingest.broker_refusals import BrokerRefusal
from protocol.device.topics import unmapped

_LINE = re.compile(r'\[\d+\] \S+ \S+ \[ERR\] \S+ - mid:\d+ - "(device-[0-9a-f-]{36})" - (.*)')
_DENIED = re.compile(r'(Publish|Subscription) Violation - Subject "([^"]*)"')
_WILDCARD = re.compile(r"wildcards not allowed in publish's topic: (\".*\")")
# Of NATS and of MQTT.
_FILTER = {"*": "+", ">": "#"}
_UNSUPPORTED = "character not supported for MQTT topics"

DENIED = {
    "Publish": "denied by the broker: a device publishes below its own prefix only,"
    " and not to its commands and errors",
    "Subscription": "denied by the broker: a device subscribes below its own prefix only",
}
UNSUPPORTED = (
    "the broker ended the connection: a topic of a message, of the will or of a subscription has a"
    " space, a tab or a line end"
)
WILDCARD = "the broker ended the connection: a topic of a message has + or #"


def refused_of(line: str) -> BrokerRefusal | None:
    found = _LINE.match(line)
    if found is None:
        return None
    client_id, what = found[1], found[2]
    if (denied := _DENIED.match(what)) is not None:
        topic = unmapped(topic_of(denied[2]))
        if denied[1] == "Subscription":
            topic = "/".join(_FILTER.get(level, level) for level in topic.split("/"))
        return BrokerRefusal(client_id=client_id, topic=topic, why=DENIED[denied[1]])
    if what.startswith(_UNSUPPORTED):
        return BrokerRefusal(client_id=client_id, why=UNSUPPORTED, is_end=True)
    if (wild := _WILDCARD.match(what)) is not None:
        topic = wild[1][1:-1]
        return BrokerRefusal(client_id=client_id, topic=topic, why=WILDCARD, is_end=True)
    return None
