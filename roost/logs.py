"""Structured logs on standard error: for people on a terminal, JSON lines elsewhere."""

import logging
import sys

import structlog

from protocol.errors import SettingsError

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "text", "json")


def configure(level: str, form: str) -> None:
    """Send our logs, and the warnings of libraries, to standard error."""
    if level not in LEVELS:
        raise SettingsError(f"log level: {level!r} is not one of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise SettingsError(f"log format: {form!r} is not one of {', '.join(FORMATS)}")
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    end: list[structlog.typing.Processor]
    if as_text:
        # Plain tracebacks: the prettier ones print local variables, and with them secrets.
        plain = structlog.dev.plain_traceback
        colors = sys.stderr.isatty()
        end = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    else:
        without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        end = [
            structlog.processors.ExceptionRenderer(without_locals),
            structlog.processors.JSONRenderer(),
        ]
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, *end],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    # gmqtt and asyncio warn of lost connections, which our own logs tell with their session.
    logging.getLogger("gmqtt").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
