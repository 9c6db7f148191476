"""The parts of a running sandbox, handed to the routes by Flask's application."""

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from sandbox.alipay.keys import Accounts
from sandbox.clock import Clock
from sandbox.config import Settings
from sandbox.journal import Journal
from sandbox.keys import Keyring
from sandbox.store import Store
from sandbox.wechat_pay.certificates import Certificates

EXTENSION = "sandbox"


@dataclass
class Sandbox:
    """What every platform needs: settings, time, state, keys, the log of calls, a bell for the background thread."""

    settings: Settings
    clock: Clock
    store: Store
    keys: Keyring
    journal: Journal
    accounts: Accounts
    certificates: Certificates
    stopping: threading.Event = field(default_factory=threading.Event)
    bell: threading.Event = field(default_factory=threading.Event)

    def pause(self, seconds: float) -> None:
        """Wait in a request, but not longer than the process lives."""
        self.stopping.wait(seconds)

    def wake(self) -> None:
        """Tell the background thread that something may be due."""
        self.bell.set()


def this_sandbox() -> Sandbox:
    """The sandbox that serves the current request."""
    return cast(Sandbox, current_app.extensions[EXTENSION])
