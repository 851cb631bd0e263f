"""What a Gorse exports in, its users, items and feedback out, one after another.

In: its binary dump (`GET /api/dump`), JSON lines of its bulk export (`/api/bulk/users`, `items`, `feedback`), or CSV as
older releases wrote. Out: records with Gorse's own keys in lower case, without underscores: `userid`, `ishidden`.
"""

import csv
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.message import DecodeError, Message

from recsys.errors import DataError

Kind = Literal["user", "item", "feedback"]
NO_TIME: Final = "0001-01-01"
"""What a time begins with that stands for none."""

_KINDS: Final[dict[int, Kind]] = {-1: "user", -2: "item", -3: "feedback"}
_SIZE: Final = struct.Struct("<q")
_LARGEST: Final = 1 << 28  # bytes of a record: what is longer is no record
_OPENINGS: Final = tuple(_SIZE.pack(number) for number in (*_KINDS, 0))

_TIMES: Final = ("timestamp", "updated")
# field → its number in Gorse's protocol; categories repeat, the times are google.protobuf.Timestamp
_FIELDS: Final[dict[Kind, dict[str, int]]] = {
    "user": {"userid": 1, "labels": 2, "comment": 3},
    "item": {"itemid": 2, "ishidden": 3, "categories": 4, "timestamp": 5, "labels": 6, "comment": 7},
    "feedback": {"feedbacktype": 2, "userid": 3, "itemid": 4, "value": 5, "timestamp": 6, "comment": 7, "updated": 8},
}


@dataclass(frozen=True)
class Record:
    """A user, an item or one feedback."""

    kind: Kind
    fields: dict[str, Any]
    where: str  # file and place, for messages

    def id(self, name: str) -> str:
        """A field that must be a text, or a number. Raises: DataError."""
        value = self.fields.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise DataError(f"{self.where}: expected {name} to be a text, found {value!r}")
        return str(value)


def records(path: Path) -> Iterator[Record]:
    """Those of a file, in order.

    Raises:
        DataError: it cannot be read, is none of the three forms, or ends too soon.
    """
    try:
        with path.open("rb") as file:
            is_binary = file.read(_SIZE.size) in _OPENINGS
        yield from _of_dump(path) if is_binary else _of_text(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected what Gorse exports, found neither its dump nor text in UTF-8") from error


def _of_dump(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        kind: Kind | None = None
        while (size := _size(file, path)) != 0:
            if size < 0:
                kind = _KINDS.get(size)
                if kind is None:
                    raise DataError(f"{path} byte {file.tell()}: expected -1, -2 or -3 to open a part, found {size}")
                continue
            start, content = file.tell(), file.read(size) if size < _LARGEST else b""
            if kind is None or len(content) < size:
                raise DataError(f"{path} byte {start}: expected a record of {size} bytes, found {len(content)}")
            yield Record(kind, _decoded(kind, content, f"{path} byte {start}"), f"{path} byte {start}")


def _size(file: BinaryIO, path: Path) -> int:
    content = file.read(_SIZE.size)
    if len(content) < _SIZE.size:
        raise DataError(f"{path}: expected a 0 at the end of the dump, found the end of the file: is it cut short?")
    return int(_SIZE.unpack(content)[0])


def _decoded(kind: Kind, content: bytes, where: str) -> dict[str, Any]:
    message = _message_types()[kind]()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise DataError(f"{where}: expected a {kind} as Gorse writes it: {error}") from error
    fields: dict[str, Any] = {name: getattr(message, name) for name in _FIELDS[kind]}
    for name in set(_TIMES) & fields.keys():
        fields[name] = fields[name].ToJsonString() if message.HasField(name) else None
    if "labels" in fields:
        fields["labels"] = _json(fields["labels"])
    if "categories" in fields:
        fields["categories"] = list(fields["categories"])
    return fields


@cache
def _message_types() -> dict[Kind, type[Message]]:
    """Gorse's messages, as far as they are read: its protocol is not a file of ours."""
    file = descriptor_pb2.FileDescriptorProto(
        name="gorse.proto", package="gorse", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    special = {"ishidden": "TYPE_BOOL", "value": "TYPE_DOUBLE", "labels": "TYPE_BYTES"}
    for kind, numbers in _FIELDS.items():
        message = file.message_type.add(name=kind)
        for name, number in numbers.items():
            field = message.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if name == "categories" else field.LABEL_OPTIONAL
            field.type = getattr(field, special.get(name, "TYPE_STRING"))
            if name in _TIMES:
                field.type, field.type_name = field.TYPE_MESSAGE, ".google.protobuf.Timestamp"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {kind: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"gorse.{kind}")) for kind in _FIELDS}


def _of_text(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        is_json = file.read(1 << 12).lstrip().startswith("{")
        file.seek(0)
        if is_json:
            for number, line in enumerate(file, 1):
                if line.strip():
                    where = f"{path} row {number}"
                    yield _record(_object(line, where), where)
            return
        for number, row in enumerate(csv.DictReader(file), 2):
            fields = {key: _listed(key, value) for key, value in row.items() if key}
            yield _record(fields, f"{path} row {number}")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: expected a JSON object, as Gorse's bulk export writes: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, as Gorse's bulk export writes, found {line[:60]!r}")
    return value


def _record(named: dict[str, Any], where: str) -> Record:
    """Which kind it is, its keys tell."""
    fields = {key.replace("_", "").lower(): value for key, value in named.items()}
    if "description" in fields:  # of older releases
        fields["comment"] = fields.pop("description")
    if "feedbacktype" in fields:
        return Record("feedback", fields, where)
    if "itemid" in fields:
        return Record("item", fields, where)
    if "userid" in fields:
        return Record("user", fields, where)
    raise DataError(f"{where}: expected FeedbackType, ItemId or UserId, found {', '.join(named) or 'nothing'}")


def _listed(key: str, value: str | None) -> object:
    """Labels and categories of CSV: JSON, or words with | between them."""
    if key.lower() not in ("labels", "categories") or not value:
        return value or None
    parsed = _json(value)
    return value.split("|") if parsed is None else parsed


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
