"""Shop-wide boost and pin rules: a YAML file in, rules out.

rules:
  - {name: summer sale, category: Garden, boost: 1.5}
  - {name: gift card first, item_id: GIFT, pin_position: 1}
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gateway.requests import Rule
from recsys import settings_file


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: list[Rule] = Field(max_length=100)


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, in its order. Raises: DataError, naming file, key, expected and found."""
    return tuple(settings_file.read(path, _Document, form="YAML").rules)
