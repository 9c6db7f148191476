"""What is wrong with a directory: one line per fault, all of them at once, in the order of the files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """`line` counts from 1 with the header as the first; 0 means the file as a whole. `code` is a stable word."""

    file: str
    line: int
    column: str
    code: str
    detail: str

    def __str__(self) -> str:
        """For a terminal: what the file brought along is shown, never obeyed."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place} {self.column or '-'} {self.code}: {self.detail}"
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class InvalidDirectory(Exception):
    """Nothing was written. `faults` holds every fault that was found, sorted by file, line and column."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__(f"{len(self.faults)} faults")
