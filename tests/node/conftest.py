"""Node with the platforms' SDKs, a sandbox process, and somebody who receives its events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from node.program import ready_node
from node.sdk import sandbox_process

from sandbox.testing import Control, Receiver, receiver


@pytest.fixture(scope="session")
def node() -> str:
    """The program, with the packages of package-lock.json where the scripts find them."""
    return ready_node()


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """`/control` of a sandbox process."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as url, requests.Session() as http:
        http.trust_env = False
        yield Control(url, http)


@pytest.fixture(scope="module")
def credentials(control: Control) -> Any:
    """What `/control/credentials` gives an integrator."""
    return control.get("/credentials")


@pytest.fixture
def events() -> Iterator[Receiver]:
    """Where the sandbox sends its events."""
    with receiver() as listening:
        yield listening
