"""Shop-wide boost and pin rules: a YAML file in, rules out.

rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}
"""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.requests import Rule
from recsys.errors import DataError


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(max_length=100)


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises: DataError, naming file, key, expected and found."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected YAML, found: {error}") from error
    try:
        return tuple(_Document.model_validate(document).rules)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DataError(f"{path}: {key}: {first['msg']}, found {str(first['input'])[:80]!r}") from error
