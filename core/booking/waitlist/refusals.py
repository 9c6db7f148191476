"""What refuses somebody who wants to wait for a number."""

from __future__ import annotations

from models.errors import Conflict


class NumbersFree(Conflict):
    """Nobody needs to wait: there are numbers, in the schedule that is named."""

    code = "numbers_free"


class WaitlistClosed(Conflict):
    """Nobody waits for these days, or nobody begins to at this hour."""

    code = "waitlist_closed"


class WaitlistExists(Conflict):
    """The person waits for this already."""

    code = "waitlist_exists"


class WaitlistLimit(Conflict):
    code = "waitlist_limit"
