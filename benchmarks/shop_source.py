"""Where a benchmark's shop comes from: files named on its command line, or the demo shop."""

from dataclasses import dataclass
from pathlib import Path

from trainer.shop_data import demo_shop, event_files, mapping
from trainer.shop_data.shop import Shop


@dataclass(frozen=True)
class Source:
    """Where a shop's events come from: its files, or the demo shop."""

    events: Path | None = None
    mapping: Path | None = None
    catalogue: Path | None = None

    def options(self) -> list[str]:
        """The same as options of the trainer's command line."""
        files = {"--events": self.events, "--mapping": self.mapping, "--catalogue": self.catalogue}
        return [word for name, path in files.items() if path is not None for word in (name, str(path))]

    def read(self, folder: Path) -> Shop:
        """The shop, read as the trainer reads it; rejected rows go to a file in the folder."""
        shop_mapping = mapping.read(self.mapping)
        if self.events is None:
            frame, catalogue = demo_shop.generate()
            return Shop(frame, catalogue, shop_mapping.event_weights)
        quarantine = folder / "quarantine.csv"
        loaded = event_files.load(
            self.events, mapping=shop_mapping, catalogue_path=self.catalogue, quarantine_path=quarantine
        )
        return Shop(loaded.frame, loaded.catalogue, shop_mapping.event_weights, loaded.first_told)
