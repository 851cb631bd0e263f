"""Rows are parted into requests that the API takes."""

import json

from recsys_cli.sending import AT_ONCE, parted


def test_rows_are_sent_a_thousand_at_a_time_and_long_ones_as_many_as_a_body_holds() -> None:
    short = [{"item_id": str(number)} for number in range(2 * AT_ONCE + 1)]
    assert [len(batch) for batch in parted(short)] == [AT_ONCE, AT_ONCE, 1]
    long = [{"item_id": str(number), "vector": [0.123456789] * 768} for number in range(300)]
    batches = list(parted(long))
    assert [row for batch in batches for row in batch] == long
    assert len(batches) > 1
    assert all(len(json.dumps(batch)) < 1 << 20 for batch in batches)
    assert [len(batch) for batch in parted(["x" * 2_000_000, "y"])] == [1, 1]
    assert list(parted([])) == []
