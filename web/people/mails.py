"""Mails to users, sent in the background: the time it takes would reveal whether an account exists,
and a mail server that does not answer delays nobody."""

from functools import partial

import structlog

from actors.ports.mail import Mailer
from protocol.errors import Unavailable, in_words
from web.http.context import Call

log = structlog.get_logger("roost.web")


def send_later(call: Call, mailer: Mailer, to: str, subject: str, text: str) -> None:
    call.service.supervisor.run_contained(
        "mail", partial(_send, mailer, to, subject, text), gave_up=lambda: None
    )


async def _send(mailer: Mailer, to: str, subject: str, text: str) -> None:
    try:
        await mailer.send(to, subject, text)
    except Unavailable as error:
        log.warning("mail not sent", error=in_words(error))
