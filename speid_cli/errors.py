"""Errors that a user can correct, and their exit statuses.

Exit statuses: 0 success, 1 an error in the data or a file, 2 an error in the command line,
128 + N interrupted by signal N.
"""

from __future__ import annotations


class SpeidError(Exception):
    """An error that the user can correct; printed without a traceback."""

    exit_status = 1


class DataError(SpeidError):
    """An error in a file or in its content.

    Printed as ``file:line: what was found; what was expected; what to try``, without the parts that
    are not known.
    """

    def __init__(
        self, found: str, *, expected: str = "", hint: str = "", path: object = None, line: int | None = None
    ) -> None:
        super().__init__(found)
        self.found, self.expected, self.hint = found, expected, hint
        self.path, self.line = path, line

    def at(self, path: object, line: int | None = None) -> DataError:
        """This error with its file and line, unless they are known already."""
        self.path = path if self.path is None else self.path
        self.line = line if self.line is None else self.line
        return self

    def __str__(self) -> str:
        name = "standard input" if self.path == "-" else str(self.path).replace("\n", "\\n")
        place = "" if self.path is None else f"{name}:"
        if place and self.line is not None:
            place += f"{self.line}:"
        expected = f"expected {self.expected}" if self.expected else ""
        text = "; ".join(part for part in (self.found, expected, self.hint) if part)
        return f"{place} {text}".lstrip()


def counted(count: int, noun: str) -> str:
    """``1 line``, ``2,000 lines``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class located:  # noqa: N801, used as a function
    """Add the file and the line to data errors of the block. A class, because loops over lines use it."""

    def __init__(self, path: object, line: int | None = None) -> None:
        self._path, self._line = path, line

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, DataError):
            error.at(self._path, self._line)


class OptionError(SpeidError):
    """An option does not fit the others, or is not possible on this machine."""

    exit_status = 2


class Terminated(BaseException):
    """A signal told the process to end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
