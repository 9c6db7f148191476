"""What is wrong with something a patient typed."""

from __future__ import annotations


class InputFault(Exception):
    """`code` is a stable word; the use case adds which field it was."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
