"""Log lines of one process: JSON where a machine reads them, plain text on a terminal; always on stderr.

A static message and fields come in (`log.info("rpc", extra={"status": "OK"})`), one line goes out. The request id of
the context is in every line that a request caused.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

REQUEST_ID_KEY: Final = "x-request-id"
"""Name of the gRPC metadata entry and, whatever the case, of the HTTP header."""

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Id of the request that this context works for; empty outside of one."""

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_encode: Final = json.JSONEncoder(ensure_ascii=False, default=str).encode  # `json.dumps` makes one for each call


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, service, logger, message, request_id and the record's own fields."""

    def __init__(self, *, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class TextFormatter(logging.Formatter):
    """A record for a person at a terminal: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {"request_id": request_id.get(), **_fields(record)}
        shown = " ".join(f"{name}={value}" for name, value in fields.items() if value != "")
        line = f"{datetime.fromtimestamp(record.created):%H:%M:%S} {record.levelname:<7} {record.getMessage()}  {shown}"
        return f"{line.rstrip()}\n{self.formatException(record.exc_info)}" if record.exc_info else line.rstrip()


def configure(*, service: str, level: str) -> None:
    """Send every log record of the process to stderr. `level` is a name such as INFO."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if sys.stderr.isatty() else JsonFormatter(service=service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # what no line of ours shows need not be found out for each: a quarter of a line's time
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented, in "Optimization" of Python's logging HOWTO


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
