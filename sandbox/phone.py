"""What a phone says when something cannot be done on it, and the cards in it."""

import re

#: A card that somebody pays with, in either wallet: its bank and its kind, as WeChat Pay writes them.
CARD = re.compile(r"(?P<bank>[A-Z]{2,12})_(?P<kind>DEBIT|CREDIT)")


class NotPossible(Exception):
    """The phone refuses; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
