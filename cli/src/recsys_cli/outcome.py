"""What ends a command of this package: an error that carries its exit status."""

from recsys.exit_status import Status


class CommandError(Exception):
    """A command cannot be carried out; the message says what, where, and what to do."""

    def __init__(self, message: str, status: Status = Status.CANNOT) -> None:
        super().__init__(message)
        self.status = status
