"""A mapping that is never changed: the next one costs little, however much is in it, and shares the rest."""

from collections.abc import ItemsView, Iterator, Mapping
from typing import TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")


class Layered(Mapping[K, V]):
    """A large mapping and, over it, what changed lately."""

    __slots__ = ("_base", "_recent")

    def __init__(self, base: Mapping[K, V] | None = None, recent: Mapping[K, V] | None = None) -> None:
        self._base = base or {}
        self._recent = recent or {}

    def __getitem__(self, key: K) -> V:
        return self._recent[key] if key in self._recent else self._base[key]

    def __contains__(self, key: object) -> bool:
        return key in self._recent or key in self._base

    def __iter__(self) -> Iterator[K]:
        yield from self._base
        yield from (key for key in self._recent if key not in self._base)

    def __len__(self) -> int:
        return len(self._base) + sum(key not in self._base for key in self._recent)

    def __bool__(self) -> bool:
        return bool(self._base or self._recent)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...
    def get(self, key: K, /, default: V | T | None = None) -> V | T | None:
        """As of every mapping, where it raises and catches for each key that is not there."""
        return self._recent[key] if key in self._recent else self._base.get(key, default)

    def items(self) -> ItemsView[K, V]:
        """All pairs, as they are now."""
        return {**self._base, **self._recent}.items()

    def after(self, changed: Mapping[K, V]) -> "Layered[K, V]":
        """With these values too: of n keys, some √n are copied, and all of them once in √n times."""
        recent = {**self._recent, **changed}
        if len(recent) ** 2 > len(self._base):
            return Layered({**self._base, **recent})
        return Layered(self._base, recent)
