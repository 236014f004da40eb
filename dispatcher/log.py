"""Structured logs on stderr in which no secret, e-mail address or phone number can stand.

Redaction works on every value of every field and on rendered exceptions, whoever logged: our own lines come by
structlog, those of libraries by the standard library, and both leave through the same chain. Vendors' loggers are
kept at WARNING: one of them writes its bearer token at DEBUG.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger
    from structlog.types import EventDict, Processor

HIDDEN = "[hidden]"

_TAMED = (
    "tweepy", "oauthlib", "requests_oauthlib", "requests", "urllib3", "twilio", "python_http_client", "sendgrid",
    "aiohttp", "aiosmtplib", "mail.log", "asyncio", "redis", "sqlalchemy.engine", "uvicorn.access", "celery.redirected",
)  # fmt: skip
"""Loggers that show requests, credentials or addresses below WARNING."""

_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:authorization|password|passwd|secret|token|api_?key|private_?key|signature|cookie|credentials?)$"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[\w\-.~+/%:]{6,}=*"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?i)\b((?:[\w-]*(?:password|passwd|secret|token|api_?key|signature))[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&)}]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(oauth_[a-z]+)=\"?[^\s\",&]+\"?"), rf"\1={HIDDEN}"),
    (re.compile(r"\bSG\.[\w-]{6,}\.[\w-]{6,}"), HIDDEN),
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), HIDDEN),
    (re.compile(r"(?<![^\s<>\"'(),:;=\[\]@])[^\s<>\"'(),:;=\[\]@]++@[^\s<>\"'(),:;@\[\]]+\.[^\W\d_]{2,}"), "[email]"),
    (re.compile(r"(?<![\w.])(?:\+|00)\d(?:[ ().\-/]{0,2}\d){6,14}(?!\w)"), "[phone]"),
    (re.compile(r"(?<![\w.:\-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)"), "[phone]"),
    (re.compile(r"(?<![\w.:\-])0\d{2,4} \d{3,4} ?\d{3,4}(?!\w)"), "[phone]"),
    (re.compile(r"(?<![\w.:\-])\d{10,15}(?![\w.:])"), "[phone]"),
)

_known: set[str] = set()


def hide(*values: str) -> None:
    """Remember secret values of this process; they are taken out of every line from now on."""
    _known.update(value for value in values if len(value) >= 6)


def redact(text: str) -> str:
    """The text without secrets, e-mail addresses and phone numbers."""
    for value in _known:
        text = text.replace(value, HIDDEN)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _clean(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(k)): _clean(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(name, v) for v in value]
    return redact(value if isinstance(value, str) else str(value))


def redacting(_logger: Any, _method: str, event: "EventDict") -> "EventDict":
    """The processor: every field but the time stamp, nested ones and the exception included."""
    return {key: value if key in ("timestamp", "level") else _clean(key, value) for key, value in event.items()}


def _shared() -> "list[Processor]":
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]


def _formatter(form: str) -> logging.Formatter:
    import structlog

    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redacting,
            renderer,
        ],
    )


def configure(
    *, level: str = "info", form: str = "auto", secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Once per process, before anything is logged. `form` is json, console or auto (json unless a terminal reads)."""
    import structlog

    stream = stream or sys.stderr
    hide(*secrets)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter("console" if form == "auto" and stream.isatty() else form.replace("auto", "json")))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    tame()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_shared()[:-1],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def tame() -> None:
    """Raise vendors' loggers to WARNING, whatever the root's level. Call again if a library lowers its own."""
    for name in _TAMED:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


class _Logger:
    """Stands for structlog's logger, which loads a screenful of modules, until there is something to log."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _real(self) -> "BoundLogger":
        import structlog

        if not structlog.is_configured():  # a command: stdout holds the answer alone, so this goes to stderr
            structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
        made: BoundLogger = structlog.stdlib.get_logger(self._name)
        return made

    def __getattr__(self, method: str) -> Any:
        return getattr(self._real, method)


def get(name: str) -> "BoundLogger":
    """A logger for a module: `log.get(__name__).info("claimed", batches=3)`."""
    return cast("BoundLogger", _Logger(name))
