"""How a command ends: its exit status, and the error that carries one."""

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses, the same for every command; the table is in docs/command-line.md."""

    DONE = 0
    FOUND_WRONG = 1  # a check has found something to mend
    CANNOT = 2  # wrong arguments, settings, files or data
    REFUSED = 3  # by the trainer's gate
    NOT_FOUND = 4  # no such item, user, list, version or experiment
    UNAVAILABLE = 5  # the API, the feature store or the object store does not answer: try again
    NO_ACCESS = 6  # the API key is missing, unknown or lacks the scope


class CommandError(Exception):
    """A command cannot be carried out; the message says what, where, and what to do."""

    def __init__(self, message: str, status: Status = Status.CANNOT) -> None:
        super().__init__(message)
        self.status = status
