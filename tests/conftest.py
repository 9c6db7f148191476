"""What every test may ask for: an empty database of either kind, a clock that stands still, throwaway keys.

PostgreSQL is one server per run, started by whichever worker needs it first and gone with the run; each worker has a
database of its own in it. `TEST_DATABASE_URL` names another server to use instead. SQLite is a copy of a template.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import start_browser
from canaries import watched
from fakes import ManualClock
from hypothesis import HealthCheck, settings
from key_rings import SUITE, new_ring
from one_compiler import compile_once
from playwright.sync_api import Browser
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url

from core.transactions import Transactions
from models import Base
from models.ciphers import Suite
from models.database import Database, Timeouts
from models.sealing import Vault

ROOT = Path(__file__).parent.parent
RUN_FOLDER = "YUEZHEN_TEST_RUN"
# Two cores may be shared by many: a test that wants the short waits of production opens its own Database.
PATIENT = Timeouts(lock=10_000, statement=30_000, idle_in_transaction=30_000)
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# Few rows in many tables: deleting takes 2 ms where TRUNCATE takes 30.
_EMPTY = "; ".join(f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables))


def pytest_configure(config: pytest.Config) -> None:
    """The first process of the run names the folder; workers inherit it."""
    if RUN_FOLDER not in os.environ:
        os.environ[RUN_FOLDER] = f"{tempfile.gettempdir()}/yuezhen-test-{os.getpid()}"
        shutil.rmtree(os.environ[RUN_FOLDER], ignore_errors=True)  # of an older process with this number


@pytest.fixture(scope="session", autouse=True)
def _nothing_planted_is_logged() -> Iterator[None]:
    """The logs of this process's whole run, read after its last test (tests/canaries.py)."""
    with watched() as watch:
        yield
        found = watch.read_all()
    assert not found, "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def _opened_databases_are_patient() -> Iterator[None]:
    """Those that an app opens by itself too: a machine that stands still for two seconds, as shared ones do, loses no
    transaction by it. Locks are waited for as briefly as in production: who is busy is told so."""
    with pytest.MonkeyPatch.context() as patch:
        patient = Timeouts(statement=PATIENT.statement, idle_in_transaction=PATIENT.idle_in_transaction)
        patch.setattr("models.database.Timeouts", lambda: patient)
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        compile_once(patch)
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium. One for all: Playwright refuses a second in a thread where one is under way."""
    yield from start_browser()


@pytest.fixture(scope="session")
def vault(request: pytest.FixtureRequest) -> Vault:
    """Throwaway keys, of the suite that `CRYPTO_SUITE` names; of each in turn in a module marked `both_suites`."""
    suite = getattr(request, "param", SUITE)
    return Vault(sealing=new_ring(suite, sealing=True), hashing=new_ring(suite))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vault" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_suites"):
        metafunc.parametrize("vault", list(Suite), indirect=True, scope="session")


@pytest.fixture
def transactions(database: Database, clock: ManualClock) -> Transactions:
    return Transactions(database, clock)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database with every table, of each kind in turn. `database.url` opens it again elsewhere."""
    url: URL = request.getfixturevalue(f"{request.param}_url")
    opened = Database(url.render_as_string(hide_password=False), timeouts=PATIENT, pool_size=20)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def blank_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database without any table, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('tmp_path')}/blank.db"
        return
    with_server: URL = request.getfixturevalue("postgres_server")
    name = f"blank_{uuid.uuid4().hex[:12]}"
    _administer(with_server, f"CREATE DATABASE {name}")
    yield with_server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    _administer(with_server, f"DROP DATABASE {name} WITH (FORCE)")


# --- SQLite ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    template = Database(f"sqlite:///{path}")
    Base.metadata.create_all(template.engine)
    template.close()
    return path


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> URL:
    copy = tmp_path / "yuezhen.db"
    shutil.copyfile(_sqlite_template, copy)
    return make_url(f"sqlite:///{copy}")


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> URL:
    """The server of this run, with a superuser and a database to connect to."""
    given = os.environ.get("TEST_DATABASE_URL")
    return make_url(given or _shared_server()).set(drivername="postgresql+psycopg")


def _shared_server() -> str:
    folder = Path(os.environ[RUN_FOLDER])
    owner = folder.name.rpartition("-")[2]
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = folder / "address"
        if not address.exists():
            command = [sys.executable, str(ROOT / "tools" / "embedded_postgres.py"), str(folder), owner]
            started = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
            if started.returncode:
                pytest.fail(started.stdout, pytrace=False)
            address.write_text(started.stdout.strip())
        return address.read_text()


@pytest.fixture(scope="session")
def _postgres_database(postgres_server: URL, worker_id: str) -> Iterator[Engine]:
    """This worker's own database; the engine is for looking after it, not for tests."""
    name = f"test_{worker_id}_{os.getpid()}"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    engine = create_engine(postgres_server.set(database=name), isolation_level="AUTOCOMMIT", pool_size=1)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(_postgres_database: Engine) -> Iterator[URL]:
    yield _postgres_database.url.set(drivername="postgresql")
    with _postgres_database.connect() as connection:
        connection.exec_driver_sql(_END_OTHERS)
        connection.exec_driver_sql(_EMPTY)


def _administer(server: URL, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
