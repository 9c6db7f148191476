"""compose.yaml and Dockerfile agree with one another and with the code. `test_image.py` runs their steps."""

from __future__ import annotations

import configparser
import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from miniapp_api import config

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = {
    name: part for name, part in yaml.safe_load((ROOT / "compose.yaml").read_text()).items() if name[:2] != "x-"
}
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_it_is_compose_and_nothing_in_it_is_unknown() -> None:
    read = compose_spec.PyCompose.from_json(json.dumps(COMPOSE))
    assert set(read.service_names()) == SERVICES.keys()
    misspelt = json.loads(json.dumps(COMPOSE))
    misspelt["services"]["api"]["readonly"] = True
    with pytest.raises(ValueError, match="readonly"):
        compose_spec.PyCompose.from_json(json.dumps(misspelt))


def test_every_name_is_of_something_there() -> None:
    for name, service in SERVICES.items():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys(), name
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys(), name
        assert {mount.partition(":")[0] for mount in service.get("volumes", [])} <= COMPOSE["volumes"].keys(), name
        assert service.get("network_mode", "service:api").partition(":")[2] in SERVICES, name
        if "build" in service and isinstance(service["build"], dict):
            assert f" AS {service['build']['target']}\n" in DOCKERFILE


def test_without_a_profile_it_is_production_and_no_sandbox() -> None:
    standing = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert standing == {"postgres", "redis", "migrate", "api", "worker"}
    for name in standing & OURS.keys():
        assert "MODE" not in OURS[name]["environment"], name
    assert all(service["profiles"] == ["sandbox"] for name, service in SERVICES.items() if name not in standing)


@pytest.mark.parametrize("name", [*OURS, "redis"])
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert service.keys().isdisjoint({"privileged", "cap_add", "devices", "pid", "ipc"})
    assert service.get("user") != "root"


def test_nothing_is_published_beyond_loopback_and_no_database_at_all() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"api", "sandbox"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_images_of_others_are_of_a_named_version() -> None:
    foreign = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    bases = re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d", image) for image in foreign + bases)
    assert len(set(bases)) == 1


def test_it_can_be_read_without_any_variable_set() -> None:
    """A fault in the environment is told by the application, which names them all at once."""
    for variable in re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", (ROOT / "compose.yaml").read_text()):
        assert variable[1].startswith(":-"), variable[0]


def test_every_setting_is_one_that_the_application_knows() -> None:
    known = set(re.findall(r"^\| `([A-Z_]+)`", config.__doc__ or "", re.MULTILINE))
    assert len(known) > 10
    for name, service in OURS.items():
        expected = {"SANDBOX_TOKEN"} if service["image"] == "yuezhen-sandbox" else known
        assert service["environment"].keys() <= expected, name


def test_whoever_runs_on_is_looked_after_and_whoever_ends_is_not() -> None:
    for name, service in OURS.items():
        ends = service["restart"] == "no"
        unwatched = service.get("healthcheck", {}).get("disable", False)
        assert unwatched == (ends or name in {"worker", "local-worker"}), name
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_has_every_package_and_the_sandbox_apart() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {name.rstrip("*") for name in setup["options.packages.find"]["include"].split()}
    sandbox, product = (set(re.findall(r"^COPY (\w+) \1$", part, re.MULTILINE)) for part in _last_stages())
    assert sandbox == {"sandbox"}
    assert product == packages - {"sandbox"} | {"data"}
    for source in sandbox | product:
        assert f"!{source}\n" in (ROOT / ".dockerignore").read_text()


def _last_stages() -> tuple[str, str]:
    _, sandbox, product = re.split(r"^FROM base.*$", DOCKERFILE, flags=re.MULTILINE)
    return sandbox, product


def test_no_secret_and_no_test_is_sent_to_whoever_builds() -> None:
    rules = (ROOT / ".dockerignore").read_text().split()
    assert rules[0] == "*"
    for name in ("secrets/keys.json", "data-local/keys.json", ".git/config", "tests/conftest.py", ".venv/bin/python"):
        parts = [name, *map(str, Path(name).parents)]
        assert not any(fnmatch.fnmatch(part, rule[1:]) for rule in rules if rule[0] == "!" for part in parts), name


@pytest.mark.parametrize("stage", _last_stages())
def test_each_image_runs_as_nobody_in_particular_and_tells_its_health(stage: str) -> None:
    assert stage.count("\nUSER 10001\n") == 1
    assert "\nHEALTHCHECK " in stage
    assert stage.index("USER 10001") < stage.index("\nCMD ")
    assert "\nRUN " not in stage.partition("USER 10001")[2]


def test_the_api_starts_as_the_image_does_by_itself() -> None:
    assert json.loads(DOCKERFILE.rpartition("\nCMD ")[2]) == SERVICES["api"]["command"]
