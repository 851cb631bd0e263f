"""Every error that this system raises on purpose. Knows no transport: `recsys.rpc.status` maps them to gRPC."""


class RecsysError(Exception):
    """Base of all of them; the message is for people."""


class InvalidArgumentError(RecsysError):
    """The caller asked for something that cannot be: says what, expected and found."""


class ItemNotFoundError(RecsysError):
    """The model has no such item."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"no item {item_id!r} in the model")


class VersionNotHeldError(RecsysError):
    """The artifact version asked for is not in memory (any more)."""

    def __init__(self, version: str, *, held: list[str]) -> None:
        super().__init__(f"artifact version {version!r} is not held; held: {', '.join(held) or 'none'}")


class NotActivatedError(RecsysError):
    """A version cannot be made the live one; the one before stays live."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"{version!r} is not made live: {reason}")


class EventsOmittedError(RecsysError):
    """The caller omitted events that the version needs: ask again with all of them."""

    def __init__(self, version: str, *, after: int) -> None:
        super().__init__(f"events: version {version!r} needs all of them, found those after place {after}")


class ModelNotLoadedError(RecsysError):
    """No artifact has been loaded yet."""


class OtherReleaseError(RecsysError):
    """A message is of a release whose form of it this one does not read: says which, and what to update."""


class StoreUnavailableError(RecsysError):
    """The feature store cannot be reached, or cannot write; nothing was acknowledged."""


class ArtifactError(RecsysError):
    """An artifact on disk is not what its manifest says: names the file, expected and found."""


class VersionNotFoundError(ArtifactError):
    """There is no version of that name: names the place, and those that are there."""


class ObjectStoreError(RecsysError):
    """The object store of artifacts cannot be reached, read or written: names it, and what was asked."""


class CertificateError(RecsysError):
    """A file for encrypted connections cannot be used: names the file."""


class DataError(RecsysError):
    """The shop's input cannot be read: names the file, and the row where one is to blame."""
