"""Mappings that share what did not change, against dictionaries."""

from collections import UserDict
from collections.abc import KeysView

from hypothesis import given
from hypothesis import strategies as st

from recsys.layered import Layered

changes = st.dictionaries(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 3)), max_size=6)


@given(st.lists(changes, max_size=30))
def test_every_moment_stays_what_the_changes_until_then_made_of_it(steps: list[dict[int, int | None]]) -> None:
    moments: list[tuple[Layered[int, int | None], dict[int, int | None]]] = [(Layered(), {})]
    for changed in steps:
        now, plain = moments[-1]
        moments.append((now.after(changed), {**plain, **changed}))
    for now, plain in moments:
        assert dict(now.items()) == dict(now) == plain
        assert (list(now), len(now), bool(now)) == (list(plain), len(plain), bool(plain))
        for key in range(41):
            assert (key in now, now.get(key), now.get(key, 9)) == (key in plain, plain.get(key), plain.get(key, 9))
        assert all(now[key] == value for key, value in plain.items())


def test_of_many_keys_a_change_copies_few() -> None:
    copied = 0

    class Counted(UserDict[int, int]):
        def keys(self) -> KeysView[int]:  # what a copy begins with
            nonlocal copied
            copied += 1
            return super().keys()

    layered = Layered[int, int](Counted.fromkeys(range(10_000), 0))
    for key in range(100):
        layered = layered.after({key: 1})
    assert (copied, layered[99], layered[100]) == (0, 1, 0)
    layered = layered.after({100: 1})  # more than the root of 10,000
    assert (copied, layered[99], layered[100]) == (1, 1, 1)
