"""A small directory to load and to spoil."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "directory"
    path.mkdir()
    return Folder(path)
