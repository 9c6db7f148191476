"""The house plan, held by tests: who may import whom, where imports stand, who assigns `status`, how long a file is."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = ("miniapp_api", "core", "integrations", "models", "schemas", "migrations")
OURS = (*PRODUCT, "sandbox", "tools", "bench", "tests")
LINES_PER_FILE = 300
LINES_PER_FUNCTION = 60

# One forbidden import for each contract: its id, the file that sins, and the sin.
SINS = (
    ("layers", "models/base.py", "import core.clock"),
    ("core-is-plain", "core/clock.py", "import flask"),
    ("schemas-are-plain", "schemas/__init__.py", "import sqlalchemy"),
    ("adapters-are-plain", "integrations/wechat/__init__.py", "import models.base"),
    ("sandbox-apart", "sandbox/clock.py", "import models.base"),
    ("product-without-sandbox", "core/clock.py", "import sandbox.clock"),
)


def _files(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def _trees(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for path in _files(*packages):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(), str(path))


def _lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


# --- who imports whom ------------------------------------------------------------------------------------------------


def test_every_import_contract_is_kept() -> None:
    found = _lint(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    shutil.copyfile(ROOT / "setup.cfg", folder / "setup.cfg")
    for package in (*PRODUCT, "sandbox"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(("contract", "sinner", "sin"), SINS)
def test_a_forbidden_import_breaks_its_contract(copy: Path, contract: str, sinner: str, sin: str) -> None:
    path = copy / sinner
    innocent = path.read_text()
    path.write_text(innocent + f"\n{sin}\n")
    try:
        found = _lint(copy, "--contract", contract)
    finally:
        path.write_text(innocent)
    assert found.returncode == 1
    assert "BROKEN" in found.stdout
    assert sinner.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in found.stdout


def test_every_contract_has_been_shown_to_fail() -> None:
    settings = (ROOT / "setup.cfg").read_text()
    contracts = {
        line.removeprefix("[importlinter:contract:").removesuffix("]")
        for line in settings.splitlines()
        if line.startswith("[importlinter:contract:")
    }
    assert contracts == {contract for contract, _, _ in SINS}


def test_the_journey_imports_nothing_of_ours() -> None:
    parts = ("client", "clinic", "crowd", "family", "follower", "household", "money", "morning", "rush")
    its_own = {"journey", "apart", *(f"journey_{part}" for part in parts)}
    trees = {place: tree for place, tree in _trees("tools") if Path(place).stem in its_own}
    assert len(trees) == len(its_own), "the journey is missing"
    neighbours = {path.stem for path in (ROOT / "tools").glob("*.py")} - its_own
    for tree in trees.values():
        assert not set(_imports(tree)) & {*OURS, "wsgi", *neighbours}


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def test_all_imports_stand_at_the_top() -> None:
    hidden = [
        f"{name}:{inner.lineno}"
        for name, tree in _trees(*OURS)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom) or _is_import_call(inner)
    ]
    assert hidden == []


def _is_import_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"__import__", "importlib.import_module"}


def test_the_product_does_not_know_the_control_surface() -> None:
    """What only the sandbox can do is no part of the product."""
    telling = [str(path) for path in (*_files(*PRODUCT), ROOT / "wsgi.py") if "/control" in path.read_text()]
    assert telling == []


# --- who assigns status ----------------------------------------------------------------------------------------------


def test_status_is_assigned_in_one_line() -> None:
    assigned = [f"{name}: {line}" for name, tree in _trees("models", "core") for line in _status_assignments(tree)]
    assert assigned == ["models/states.py: self.status = status"]


@pytest.mark.parametrize(
    "sin",
    ["a.status = x", "a.status: str = x", "a.status += x", "(a.status, b) = x", "setattr(a, 'status', x)"],
)
def test_every_way_to_assign_status_is_seen(sin: str) -> None:
    assert len(list(_status_assignments(ast.parse(sin)))) == 1


def _status_assignments(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        if _sets_status(node) or any(_is_status(part) for target in targets for part in ast.walk(target)):
            yield ast.unparse(node)


def _sets_status(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr" and "'status'" in ast.unparse(node)


def _is_status(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "status"


# --- how long things are ---------------------------------------------------------------------------------------------


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _files(*PRODUCT, "sandbox", "tools", "bench")
        if (lines := len(path.read_text().splitlines())) > LINES_PER_FILE and path.parent.name != "versions"
    }
    assert long == {}


def test_no_function_is_too_long() -> None:
    long = {
        f"{name}:{node.name}": lines
        for name, tree in _trees(*OURS)
        if not name.startswith("migrations/versions/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > LINES_PER_FUNCTION
    }
    assert long == {}


def test_every_function_is_typed() -> None:
    """Of the product mypy sees to it; this is for what stands around it."""
    untyped = [
        f"{name}:{node.name}"
        for name, tree in _trees("sandbox", "tools", "bench")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is None
    ]
    assert untyped == []
