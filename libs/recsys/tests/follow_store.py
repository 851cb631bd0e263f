"""Publishes in an object store, or follows one, for tests that kill it.

`python follow_store.py publish URL VOLUME VERSION`, `python follow_store.py follow URL VOLUME [LONGEST_FILE]`.
"""

import resource
import sys
from pathlib import Path

from recsys.artifact.mirror import Mirror
from recsys.artifact.object_store import ObjectStore

if __name__ == "__main__":
    command, url, volume, *rest = sys.argv[1:]
    store = ObjectStore(url, writes=command == "publish")
    if command == "publish":
        store.upload(Path(volume), rest[0])
        store.activate(rest[0])
    else:
        if rest:  # a disk that takes no longer file than this
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest[0]), int(rest[0])))
        Mirror(store, Path(volume)).follow()
