"""Log lines as machines and people read them."""

import json
import logging
import sys

import pytest

from recsys.observability.logging import JsonFormatter, TextFormatter, configure, request_id


def record_of(message: str, **fields: object) -> logging.LogRecord:
    return logging.getLogger("some.module").makeRecord(
        "some.module", logging.INFO, "file.py", 1, message, (), None, extra=fields
    )


def test_a_line_is_one_json_object_with_the_record_s_own_fields() -> None:
    line = JsonFormatter(service="reranker").format(record_of("rpc", status="OK", held=["v2", "v1"]))
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed.pop("time").endswith("+00:00")
    assert parsed == {
        "level": "INFO",
        "service": "reranker",
        "logger": "some.module",
        "message": "rpc",
        "request_id": "",
        "status": "OK",
        "held": ["v2", "v1"],
    }


def test_the_request_id_of_the_context_is_in_every_line() -> None:
    token = request_id.set("abc")
    try:
        assert json.loads(JsonFormatter(service="x").format(record_of("m")))["request_id"] == "abc"
        assert TextFormatter().format(record_of("m")).endswith("m  request_id=abc")
    finally:
        request_id.reset(token)


def test_text_from_outside_cannot_start_a_line_of_its_own() -> None:
    line = JsonFormatter(service="x").format(record_of("m", query='a\n{"level": "ERROR"}'))
    assert len(line.splitlines()) == 1


def test_an_exception_is_in_its_line() -> None:
    try:
        raise ValueError("what went wrong")
    except ValueError:
        record = record_of("m")
        record.exc_info = sys.exc_info()
    assert "ValueError: what went wrong" in json.loads(JsonFormatter(service="x").format(record))["exception"]
    assert TextFormatter().format(record).endswith("ValueError: what went wrong")


def test_a_process_writes_json_to_stderr_from_its_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # pytest's own, which `configure` would close
    try:
        configure(service="gateway", level="warning")
        logging.getLogger("a").info("quiet")
        logging.getLogger("a").warning("loud")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    output = capsys.readouterr()
    assert output.out == ""
    assert [json.loads(line)["message"] for line in output.err.splitlines()] == ["loud"]
