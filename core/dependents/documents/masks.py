"""Document numbers as they are shown (rules.md 1.4.5)."""

from __future__ import annotations

HEAD, TAIL = 3, 4
LEAST_HIDDEN = 4


def masked_number(number: str) -> str:
    """As its owner sees it: the first three and the last four characters.

    Of a short number less is shown: at least half of it is hidden, and never fewer than four characters. EA1234567 is
    shown as EA*****67. No number (`guardian_bound`) gives no mask. A mask is made when it is shown and stored nowhere:
    beside a birth date it would leave a handful of numbers to choose from (decision 0043).
    """
    shown = max(0, min(HEAD + TAIL, len(number) // 2, len(number) - LEAST_HIDDEN))
    return _masked(number, shown // 2, shown - shown // 2)


def masked_for_others(number: str) -> str:
    """As it stands on a screen that others see: the first and the last character, and neither where few lie between."""
    return _masked(number, 1, 1) if len(number) >= LEAST_HIDDEN + 2 else "*" * len(number)


def _masked(number: str, head: int, tail: int) -> str:
    return number[:head] + "*" * (len(number) - head - tail) + number[len(number) - tail :]
