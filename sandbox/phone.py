"""What a phone says when something cannot be done on it."""


class NotPossible(Exception):
    """The phone refuses; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
