"""What stands in the way of a follow-up."""

from __future__ import annotations

from models.errors import Conflict


class NoFollowUp(Conflict):
    """There is no such visit on that registration. The facts say why: its `reason`, and what the right asks for."""

    code = "no_follow_up"
