"""The one background thread: settles refunds and sends notices when their time has come.

What is due stands in the state file, so a restart goes on where the last run stopped. A notice being sent when the
process dies is sent again: the platform promises at least once, not once.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from sandbox import delivery
from sandbox.context import Sandbox
from sandbox.wechat_pay import refunds

log = logging.getLogger("sandbox.background")
SENDERS = 32
LONGEST_SLEEP = 1.0


class Background:
    """Runs until the sandbox stops."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="sandbox-notice")
        self._busy: set[str] = set()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sandbox-background", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; notices under way are finished, others wait for the next start."""
        self._sandbox.stopping.set()
        self._sandbox.wake()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._sandbox.stopping.is_set():
            try:
                pause = self._round()
            except Exception:
                # The state file may be locked or full for a moment; the thread must outlive that.
                log.exception("background round failed")
                pause = LONGEST_SLEEP
            self._sandbox.bell.wait(pause)
            self._sandbox.bell.clear()

    def _round(self) -> float:
        due = [refunds.settle_due(self._sandbox)]
        for event_id in delivery.due_notices(self._sandbox):
            with self._guard:
                if event_id in self._busy:
                    continue
                self._busy.add(event_id)
            self._pool.submit(self._deliver, event_id)
        with self._guard:
            busy = set(self._busy)
        due.append(delivery.next_due(self._sandbox, busy))
        now = self._sandbox.clock.now()
        return min((max(0.0, instant - now) for instant in due if instant is not None), default=LONGEST_SLEEP)

    def _deliver(self, event_id: str) -> None:
        try:
            delivery.deliver(self._sandbox, event_id)
        except Exception:
            log.exception("notice %s failed", event_id)
        finally:
            with self._guard:
                self._busy.discard(event_id)
            self._sandbox.wake()
