"""A process with the old keys, of each suite in turn, and the suite of those to come."""

from __future__ import annotations

import pytest
from cabinet import Cabinet
from key_rings import new_ring

from core.workbench import Workbench
from models.ciphers import Suite
from models.sealing import Vault

WAYS = {"aes-to-sm": (Suite.AES, Suite.SM), "sm-to-aes": (Suite.SM, Suite.AES)}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Suite, Suite]:
    """The suite of the old keys and that of the new ones."""
    return WAYS[request.param]


@pytest.fixture
def vault(way: tuple[Suite, Suite]) -> Vault:
    return Vault(sealing=new_ring(way[0], sealing=True), hashing=new_ring(way[0]))


@pytest.fixture
def cabinet(workbench: Workbench, way: tuple[Suite, Suite]) -> Cabinet:
    return Cabinet(workbench, way[1])
