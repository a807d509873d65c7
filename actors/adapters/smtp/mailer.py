"""The Mailer port over SMTP (RFC 5321), in a thread: the standard library's client, with TLS."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import msgspec
import trio

from protocol.errors import Unavailable, in_words

WITHIN_S = 20.0
# A mail server that hangs blocks two threads at most.
_sending = trio.CapacityLimiter(2)


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server. `tls`: `smtps` from the first byte, `starttls`, or nothing."""

    host: str
    port: int
    tls: str
    sender: str
    username: str | None = None
    password: str | None = None


class SmtpMailer:
    """See `actors.ports.mail.Mailer`."""

    def __init__(self, settings: MailSettings, context: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._context = context or ssl.create_default_context()

    async def send(self, to: str, subject: str, text: str) -> None:
        mail = EmailMessage()
        try:
            mail["From"], mail["To"], mail["Subject"] = self._settings.sender, to, subject
            mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="roost")
            mail.set_content(text)
            await trio.to_thread.run_sync(self._hand_in, mail, limiter=_sending)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise Unavailable(f"the mail server did not take it: {in_words(error)}") from None

    def _hand_in(self, mail: EmailMessage) -> None:
        asked = self._settings
        if asked.tls == "smtps":
            line: smtplib.SMTP = smtplib.SMTP_SSL(
                asked.host, asked.port, timeout=WITHIN_S, context=self._context
            )
        else:
            line = smtplib.SMTP(asked.host, asked.port, timeout=WITHIN_S)
        with line:
            if asked.tls == "starttls":
                line.starttls(context=self._context)
            if asked.username is not None:
                line.login(asked.username, asked.password or "")
            line.send_message(mail)
