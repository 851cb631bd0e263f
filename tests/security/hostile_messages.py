"""Messages that a protobuf descriptor allows and nobody honest sends: NaN, huge counts, long strings, unknown enums."""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

_DEPTH: Final = 4
_MOST: Final = 3_000_000  # bytes of a message, below the limit of 4 MiB
_MOST_OF_A_FIELD: Final = _MOST // 4  # of one value many times: a message above the limit would not be sent
_INTEGERS: Final = {32: (0, 1, 3, 1000, 1001, 2**31 - 1), 64: (0, 1, 1000, 2**31, 2**63 - 1)}
_UNSIGNED: Final = {32: 2**32 - 1, 64: 2**64 - 1}
_NEGATIVE: Final = {32: -(2**31), 64: -(2**63)}
_FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 3e38, -3e38, float("nan"), float("inf"), float("-inf"))
_STRINGS: Final = ("", "7", "007", "a/b", "line\nbreak", "\0", "\ud7ff\ue000", "日本語" * 50, "x" * 1025, "x" * 200_000)
_TRICKS: Final = ("../../etc/shadow", "%s%s%n", "' OR 1=1 --", "{0}")
_BYTES: Final = (
    *(b"", b"\0", b"\xff" * 3, b"\0" * 256, b"\xff" * 256, b"\0" * 400_000),
    *(struct.pack("<64f", *[value] * 64) for value in (float("nan"), 3e38)),
    struct.pack("<3I", 0, 7, 2**32 - 1),
)
_LENGTHS: Final = (0, 1, 2, 5, 40, 5_000)

F: Final = FieldDescriptor


def hostile(
    descriptor: Descriptor, *, strings: Sequence[str] = (), raw: Sequence[bytes] = ()
) -> st.SearchStrategy[Message]:
    """Messages of this type. `strings` and `raw` are further values, such as names that the receiver knows."""
    return st.composite(_draw_message)(descriptor, (*_STRINGS, *_TRICKS, *strings), (*_BYTES, *raw), _DEPTH)


def _draw_message(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    descriptor: Descriptor,
    strings: Sequence[str],
    raw: Sequence[bytes],
    depth: int,
) -> Message:
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if depth == 0 or not draw(st.booleans()):
            continue
        if field.message_type is not None:
            values = [
                _draw_message(draw, field.message_type, strings, raw, depth - 1)
                for _ in range(draw(st.integers(0, 2)) if field.is_repeated else 1)
            ]
        else:
            value = st.sampled_from(_values(field, strings, raw))
            length = draw(st.sampled_from(_LENGTHS)) if field.is_repeated else 1
            if length > 5:
                one = draw(value)
                size = len(one) if isinstance(one, str | bytes) else 10
                values = [one] * min(length, _MOST_OF_A_FIELD // max(size, 1))
            else:
                values = [draw(value) for _ in range(length)]
        _set(message, field, values)
    return message if message.ByteSize() < _MOST else GetMessageClass(descriptor)()


def _set(message: Message, field: FieldDescriptor, values: list[Any]) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        by_key = getattr(message, field.name)
        for entry in values:
            if field.message_type.fields_by_name["value"].message_type is None:
                by_key[entry.key] = entry.value
            else:
                by_key[entry.key].CopyFrom(entry.value)
    elif field.is_repeated:
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(values[0])
    else:
        setattr(message, field.name, values[0])


def _values(field: FieldDescriptor, strings: Sequence[str], raw: Sequence[bytes]) -> Sequence[Any]:
    if field.type == F.TYPE_STRING:
        return strings
    if field.type == F.TYPE_BYTES:
        return raw
    if field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
        return _FLOATS
    if field.type == F.TYPE_BOOL:
        return (False, True)
    if field.type == F.TYPE_ENUM:
        return (0, 1, 2, 99, 2**31 - 1, -1, -(2**31))
    bits = 64 if field.cpp_type in (F.CPPTYPE_INT64, F.CPPTYPE_UINT64) else 32
    unsigned = field.cpp_type in (F.CPPTYPE_UINT32, F.CPPTYPE_UINT64)
    return (*_INTEGERS[bits], _UNSIGNED[bits] if unsigned else _NEGATIVE[bits])
