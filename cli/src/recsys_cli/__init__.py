"""The command `recsys`: everything that people do with a running system, and with what it keeps."""

from typing import Final

__version__: Final = "0.2.0"
"""The release: of the images, of CHANGELOG.md, and of every backup that it takes."""
