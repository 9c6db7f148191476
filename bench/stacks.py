"""What a sampling profiler saw: lines of `outermost;…;innermost COUNT`, and whose time it was."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_OURS = ("core/", "miniapp_api/", "models/", "schemas/", "integrations/")
_EVERYWHERE = 0.9
"""What is in nearly every sample is the way there, and tells nothing."""


@dataclass
class Profile:
    """Samples by function: `own` where it was at work itself, `cumulative` where it or what it called was."""

    samples: int = 0
    own: Counter[str] = field(default_factory=Counter)
    cumulative: Counter[str] = field(default_factory=Counter)
    packages: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, lines: Iterable[str]) -> Profile:
        profile = cls()
        for line in lines:
            stack, _, count = line.strip().rpartition(" ")
            if stack:
                profile._add(stack.split(";"), int(count))
        return profile

    def _add(self, frames: list[str], count: int) -> None:
        self.samples += count
        self.own[frames[-1]] += count
        self.packages[package_of(frames[-1])] += count
        for frame in set(frames):
            self.cumulative[frame] += count

    def largest_own(self, most: int) -> list[tuple[str, float]]:
        """Function and its share."""
        return self._shares(self.own, most)

    def largest_packages(self, most: int) -> list[tuple[str, float]]:
        return self._shares(self.packages, most)

    def largest_of_ours(self, most: int) -> list[tuple[str, float]]:
        """Our functions with all that they call."""
        ours = Counter({frame: count for frame, count in self.cumulative.items() if self._tells(frame, count)})
        return self._shares(ours, most)

    def _tells(self, frame: str, count: int) -> bool:
        return package_of(frame).endswith("/") and count < _EVERYWHERE * self.samples

    def _shares(self, counted: Counter[str], most: int) -> list[tuple[str, float]]:
        return [(name, count / self.samples) for name, count in counted.most_common(most)]


def package_of(frame: str) -> str:
    """`function (file:line)`: one of our rooms with a slash behind it, or whose package it is."""
    file = frame.rpartition(" (")[2].partition(":")[0].rstrip(")")
    room = next((room for room in _OURS if file.startswith(room) or f"/{room}" in file), None)
    if room is not None:
        return room
    package = file.split("/")[0]
    return package if "/" in file and package not in sys.stdlib_module_names else "Python's own library"
