"""`make journey`: fresh patients go from login to refund against `make run`, as any client would.

`PERSON` chooses whose way is walked: `patient` (without it), `family`, `rush`, or `money`, which brings a run of its
own. Only HTTP, the sandbox's /control and operator commands; nothing of the project is imported. Each step prints one
line with what came back. The first step that is not as it should be ends it with exit code 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apart import DidNotStart, run_apart
from journey_client import NotAsItShouldBe, Teller, operator
from journey_family import ALIPAY, WECHAT, Family
from journey_follower import Follower
from journey_household import Household
from journey_money import Money
from journey_rush import Rush


def patient(tell: Teller) -> None:
    print("A patient and her mother, with WeChat:")
    Family(tell, WECHAT).walk()
    print("Another family, with Alipay:")
    Family(tell, ALIPAY).walk()
    print("A woman who follows the official account:")
    Follower(tell).walk()
    print("One more family, with WeChat, every event dropped:")
    Family(tell, WECHAT, without_events=True).walk()


def family(tell: Teller) -> None:
    print("A mother with WeChat, whose spouse has Alipay:")
    Household(tell, WECHAT).walk()
    print("A mother with Alipay, whose spouse has WeChat:")
    Household(tell, ALIPAY).walk()


def rush(tell: Teller) -> None:
    print("Three hundred people and sixty numbers:")
    Rush(tell).walk()


def money(tell: Teller) -> None:
    print("A hospital's money, from one day to the next morning:")
    Money(tell).walk()


PERSONS: Mapping[str, Callable[[Teller], None]] = {"patient": patient, "family": family, "rush": rush, "money": money}
_APART = "JOURNEY_APART"


def main() -> int:
    person = os.environ.get("PERSON") or "patient"
    if person not in PERSONS:
        print(f"PERSON must be one of {', '.join(PERSONS)}, not {person}")
        return 1
    if person == "money" and _APART not in os.environ:
        return _again_apart()
    tell, started = Teller(), datetime.now(UTC)
    try:
        PERSONS[person](tell)
        (sound,) = operator("invariants")
        tell("invariants", f"{sound['broken']} broken")
    except NotAsItShouldBe as reason:
        print(f"NOT AS IT SHOULD BE after step {tell.steps}: {reason}", flush=True)
        return 1
    seconds = (datetime.now(UTC) - started).total_seconds()
    print(f"The journey is complete: {tell.steps} steps in {seconds:.0f} s.", flush=True)
    return 0


def _again_apart() -> int:
    print("Starting a sandbox, an API and a worker for this journey alone …", flush=True)
    try:
        with run_apart(os.environ) as environ:
            return subprocess.run([sys.executable, __file__], env={**environ, _APART: "1"}, check=False).returncode
    except DidNotStart as reason:
        print(f"They did not start. {reason}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
