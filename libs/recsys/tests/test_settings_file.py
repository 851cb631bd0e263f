"""A settings file is read as it is meant; whatever else it holds is one kind of error that names file, key and line."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from recsys import settings_file
from recsys.errors import DataError
from recsys.settings_file import Form


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(_Node):
    size: int = 1
    until: datetime | None = None


class Document(_Node):
    parts: list[Part] = []
    by_name: dict[str, Part | None] = {}
    least: int = 0
    most: int = 9

    @model_validator(mode="after")
    def _in_order(self) -> "Document":
        if self.least > self.most:
            raise ValueError(f"least: expected at most {self.most}, found {self.least}")
        return self


class One(_Node):
    kind: Literal["one"]
    settings: Part = Part()


class Other(_Node):
    kind: Literal["other"]


class Either(RootModel[Annotated[One | Other, Field(discriminator="kind")]]):
    pass


def refusal(path: Path, content: str | bytes, *, form: Form = "YAML", is_secret: bool = False) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as refused:
        settings_file.read(path, Document, form=form, is_secret=is_secret)
    return str(refused.value).replace(str(path), "FILE")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("YAML", "parts:\n  - {size: 3}\n"),
        ("TOML", "[[parts]]\nsize = 3\n"),
        ("JSON", '{"parts": [{"size": 3}]}'),
    ],
)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_each_form_is_read_with_a_byte_order_mark_and_without(path: Path, form: Form, text: str, bom: str) -> None:
    path.write_text(bom + text, encoding="utf-8")
    assert settings_file.read(path, Document, form=form) == Document(parts=[Part(size=3)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parts:\n  - until: 2027-13-01T00:00:00Z\n", "line 2: expected YAML, found: month must be in 1..12"),
        ("least: !!int x\n", "line 1: expected YAML, found: invalid literal for int()"),
        ("least: !!int ''\n", "line 1: expected YAML, found: string index out of range"),
        ("least: !!bool perhaps\n", "line 1: expected YAML, found: 'perhaps'"),
        ("least: !!timestamp soon\n", "line 1: expected YAML, found: "),
        (f"least: {'9' * 5000}\n", "line 1: expected YAML, found: Exceeds the limit"),
        (f"least: {'1:' * 200}1.5\n", "line 1: expected YAML, found: int too large to convert to float"),
        ("least: !!python/object:os.system x\n", "line 1: expected YAML, found: could not determine a constructor"),
        ("parts: *nowhere\n", "line 1: expected YAML, found: found undefined alias 'nowhere'"),
        ("least: 1\x00\n", "expected YAML, found: "),
        ("[" * 20_000, "expected YAML, found: "),
    ],
)
def test_whatever_yaml_cannot_be_is_told_with_its_line(path: Path, text: str, said: str) -> None:
    assert refusal(path, text).startswith(f"FILE: {said}")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("TOML", "least = \n"),
        ("TOML", "at = 2027-13-01T00:00:00Z\n"),
        ("TOML", f"least = {'9' * 5000}\n"),
        ("TOML", f"parts = {'[' * 20_000}"),
        ("JSON", '{"least": 1'),
        ("JSON", f'{{"least": {"9" * 5000}}}'),
        ("JSON", "[" * 200_000),
        ("JSON", ""),
    ],
)
def test_whatever_toml_and_json_cannot_be_is_told(path: Path, form: Form, text: str) -> None:
    assert refusal(path, text, form=form).startswith(f"FILE: expected {form}, found: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the whole file: expected keys with values, found None"),
        (
            "parts: [{size: big}]",
            "parts.0.size: Input should be a valid integer, unable to parse string as an integer, ",
        ),
        ("parts: [{sise: 3}]", "parts.0.sise: expected one of size, until, found 'sise'"),
        ("by_name: {a: {sise: 3}}", "by_name.a.sise: expected one of size, until, found 'sise'"),
        ("part: []", "part: expected one of parts, by_name, least, most, found 'part'"),
        ("parts: [1]", "parts.0: expected keys with values, found 1"),
        ("least: 10", "least: expected at most 9, found 10"),
        (
            f"least: {'x' * 200}",
            "least: Input should be a valid integer, unable to parse string as an integer, found 'xx",
        ),
    ],
)
def test_a_slip_is_told_with_key_expected_and_found(path: Path, text: str, said: str) -> None:
    message = refusal(path, text)
    assert message.startswith(f"FILE: {said}")
    assert len(message) < 200


def test_each_slip_has_its_line(path: Path) -> None:
    assert len(refusal(path, "parts: [{size: a}, {size: b}]").splitlines()) == 2


@pytest.mark.parametrize("text", ["least: SECRET", "parts: *SECRET", "parts: [SECRET", "parts: SECRET: a", "SECRET"])
def test_of_a_secret_file_nothing_found_is_told(path: Path, text: str) -> None:
    assert "SECRET" not in refusal(path, text, is_secret=True)


def test_a_file_that_cannot_be_read_is_told(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="settings: cannot be read: No such file or directory"):
        settings_file.read(path, Document, form="YAML")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        settings_file.read(tmp_path, Document, form="YAML")
    assert refusal(path, b"least: \xff") == "FILE: expected UTF-8, found other bytes from byte 7 on"


def test_one_of_several_models_is_checked_by_its_kind() -> None:
    document = {"kind": "one", "settings": {"sise": 1}}
    with pytest.raises(DataError, match=r"v1: one\.settings\.sise: expected one of size, until, found 'sise'"):
        settings_file.check(document, Either, where="v1")
