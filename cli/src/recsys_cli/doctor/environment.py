"""The environment: variables of ours that nothing reads, and settings that the trainer would refuse."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from recsys.errors import InvalidArgumentError
from recsys.process import read_settings
from recsys_cli.doctor.finding import Finding, good, warning, wrong
from trainer.settings import Settings

_OF_THE_COMMAND: Final = ("RECSYS_URL", "RECSYS_API_KEY")
_OF_COMPOSE: Final = ("RECSYS_VERSION",)


def look(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """What is to say of RECSYS_… and TRAINER_…: processes ignore a variable that they do not know."""
    of_trainer = [f"TRAINER_{field.upper()}" for field in Settings.model_fields]
    known = (*_OF_THE_COMMAND, *_OF_COMPOSE, *of_trainer)
    given = [name for name in environment if name.startswith(("RECSYS_", "TRAINER_"))]
    for name in sorted(set(given) - set(known)):
        near = get_close_matches(name, known, n=1)
        yield warning(
            "environment",
            f"nothing reads {name}",
            mend=f"is {near[0]} meant?" if near else "remove it; docs/operations.md lists what there is",
        )
    try:
        read_settings(Settings)
    except InvalidArgumentError as error:
        yield wrong("environment", str(error), mend="the trainer ends with status 2 until it is right")
        return
    yield good("environment", f"variables of RECSYS_… and TRAINER_… that are set: {len(set(given) & set(known))}")
