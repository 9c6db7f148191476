"""Every published sample is run on both of our readings of a protocol: the adapter's and the sandbox's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
UNSPOKEN = frozenset({"wxpay_v2_legacy"})
"""Of a protocol that neither speaks; a helper of the tests does, in test_unspoken_vectors."""


@pytest.mark.parametrize("side", ["integrations", "sandbox"])
@pytest.mark.parametrize("name", sorted({path.stem for path in (TESTS / "vectors").rglob("*.json")} - UNSPOKEN))
def test_a_file_of_samples_is_run(name: str, side: str) -> None:
    opened = re.compile(rf'vectors\("{name}"|"{name}\.json"')
    assert any(opened.search(path.read_text()) for path in (TESTS / side).rglob("*.py"))
