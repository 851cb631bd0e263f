"""The paths that a command was given in, the shop to learn from out: its files, and the lake over them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from recsys.artifact import file_rows
from recsys.artifact.file_rows import FileRows, Reading, Rejected
from recsys.errors import DataError
from recsys.lake import lake_dir, read_committed, read_erasures
from trainer.settings import Settings, ShopFiles
from trainer.shop_data import demo_shop, event_cache, lake, mapping
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.quarantine import LoadReport
from trainer.shop_data.shop import Shop

QUARANTINE: Final = "quarantine.csv"
"""Where, on the volume, rows of the shop's files go that were rejected."""


def read(files: ShopFiles, *, settings: Settings) -> tuple[Shop, list[str]]:
    """The shop, and what to tell of the reading.

    Raises:
        DataError: a file cannot be read, every row of it is rejected, or there is no lake where one is named.
    """
    terms = mapping.read(files.mapping)
    found = files.lake or lake_dir(settings.artifact_dir)
    committed = read_committed(found)
    if files.lake is not None and committed is None:
        raise DataError(f"{found}: expected what the event sink writes, found nothing committed")
    shop, reports = _read_files(files, terms, frozenset(read_erasures(found)["user_hash"]), settings)
    if committed is not None:
        shop, report = lake.add(shop, found, mapping=terms)
        reports.append(report.render())
        shop = replace(shop, lake=found)
    return shop, reports


def _read_files(
    files: ShopFiles, terms: ColumnMapping, erased: frozenset[str], settings: Settings
) -> tuple[Shop, list[str]]:
    if files.are_of_demo_shop:
        frame, catalogue = demo_shop.generate()
        return Shop(frame, catalogue, terms.event_weights), []
    loaded = event_cache.load(
        files.events,
        mapping=terms,
        catalogue_path=files.catalogue,
        quarantine_path=settings.artifact_dir / QUARANTINE,
        cache_dir=settings.artifact_dir / event_cache.CACHE,
        erased=erased,
    )
    report, counts = loaded.report.render(), loaded.report.events
    if counts.read and not counts.kept:  # a shop without history has no rows; these are read wrongly
        raise DataError(f"{files.events}: expected events, found each of {counts.read:,} rows rejected\n{report}")
    file_rows.note(settings.artifact_dir, _reading(loaded.report))
    return Shop(loaded.frame, loaded.catalogue, terms.event_weights, loaded.first_told), [report]


def _reading(report: LoadReport) -> Reading:
    counted = {"events": report.events, "catalogue": report.catalogue}
    files = tuple(
        FileRows(
            name=name,
            read=counts.read,
            kept=counts.kept,
            ignored=sum(counts.ignored.values()),
            rejected=tuple(Rejected(reason=one.reason, rows=one.rows, hint=one.hint) for one in counts.rejected),
        )
        for name, counts in counted.items()
        if counts is not None
    )
    return Reading(read_at=datetime.now(UTC), files=files)
