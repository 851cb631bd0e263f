"""Play the scenarios and print the table; exit status 1 if a request failed that could have been answered."""

import argparse
import sys
import tempfile
from pathlib import Path

from tools.chaos.load import PER_S, Load
from tools.chaos.play import HEADER, Played, play
from tools.chaos.scenarios import GATEWAYS, all_scenarios
from tools.chaos.system import System


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="the scenarios with this in their name")
    only = parser.parse_args().only
    with (
        tempfile.TemporaryDirectory(prefix="recsys-chaos-") as folder,
        System(Path(folder), gateways=GATEWAYS) as system,
    ):
        load = Load(system.shop, gateways=system.gateways, dearer=system.dearer)
        print(f"{PER_S:.0f} requests/s on {GATEWAYS} gateways\n\n{HEADER}", flush=True)
        played: list[Played] = []
        with load.running():
            for one in all_scenarios():
                if only in one.name:
                    played.append(play(one, system, load))
                    print(played[-1].row.line(), flush=True)
        lost = system.count_lost(load.acknowledged())
    print()
    for each in played:
        broken = f"{each.row.broken} connections broken, asked again elsewhere" if each.row.broken else ""
        wrong = f"WRONG: {'; '.join(each.wrong)}" if each.wrong else ""
        if notes := [note for note in (wrong, broken, each.remark) if note]:
            print(f"- {each.row.name}: {'. '.join(notes)}")
    print(f"\nEvents acknowledged: {len(load.acknowledged()):,}; of these lost: {lost}.")
    sys.exit(1 if lost or any(each.wrong for each in played) else 0)


if __name__ == "__main__":
    main()
