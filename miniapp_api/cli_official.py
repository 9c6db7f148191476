"""Operator commands of an official account: its menu, its scene codes, and links into its mini-program."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from core.catalog.departments import doctor_detail, find_department
from core.conversation.scenes import Scene, SceneKind, write_scene
from core.ports import InvalidMenu, OfficialAccount, ProviderRefused, ProviderUnavailable
from core.registry import NotConfigured
from miniapp_api.official_menu import MenuUnreadable, read_menu_file
from miniapp_api.services import services
from models.appointment import Appointment
from models.errors import NotFound, Unavailable

Buttons = Sequence[Mapping[str, Any]]
LONGEST_DAYS = 30

_app = click.option("--app", help="Our name of the official account; without it the first configured one is meant.")
_file = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path("menu.yaml"),
    show_default=True,
    help="The menu as you want it.",
)
_days = click.option("--days", type=click.IntRange(1, LONGEST_DAYS), default=LONGEST_DAYS, show_default=True)
_kind = click.argument("kind", type=click.Choice([kind.value for kind in SceneKind]))
_id = click.argument("id", type=click.UUID)


@click.group("official-account")
def official_account() -> None:
    """An official account: its menu, scene codes, and links into its mini-program."""


@official_account.group("menu")
def menu() -> None:
    """The menu that followers see."""


@menu.command("show")
@_app
@with_appcontext
def show(app: str | None) -> None:
    """Print the menu that is there."""
    with _platform_told():
        buttons = _account(app).menu()
    _say(["no menu"] if buttons is None else _lines(buttons))


@menu.command("diff")
@_app
@_file
@with_appcontext
def diff(app: str | None, path: Path) -> None:
    """Compare the menu that is there with the file; exits 1 when they differ."""
    with _platform_told():
        account = _account(app)
        wanted = _wanted(account, path)
        changes = _changes(account.menu(), wanted)
    _say(changes or ["no difference"])
    if changes:
        sys.exit(1)


@menu.command("apply")
@_app
@_file
@with_appcontext
def apply(app: str | None, path: Path) -> None:
    """Put the file's menu in the place of the one that is there; where nothing differs, nothing is sent."""
    with _platform_told():
        account = _account(app)
        wanted = _wanted(account, path)
        changes = _changes(account.menu(), wanted)
        if changes:
            account.set_menu(wanted)
    _say([*changes, "applied: phones show it within five minutes"] if changes else ["nothing to change"])


@official_account.command("scene-code")
@_kind
@_id
@_days
@_app
@with_appcontext
def scene_code(kind: str, id: UUID, days: int, app: str | None) -> None:
    """A code to scan that brings people here with a doctor, department or appointment. Prints one line of JSON."""
    scene = write_scene(_known(Scene(SceneKind(kind), id)))
    with _platform_told():
        code = _account(app).scene_code(scene, lasts=timedelta(days=days))
    seconds = int(code.expires_in.total_seconds())
    click.echo(json.dumps({"scene": scene, "url": code.url, "ticket": code.ticket, "expires_in": seconds}))


@official_account.command("link")
@_kind
@_id
@_days
@_app
@with_appcontext
def link(kind: str, id: UUID, days: int, app: str | None) -> None:
    """A link that opens a doctor, department or appointment in the mini-program. Prints one line of JSON."""
    scene = _known(Scene(SceneKind(kind), id))
    with _platform_told():
        account = _account(app)
        links = services().workbench.adapters.miniapp_links(account.provider, account.app)
        url = links.link(scene.page, scene.query, lasts=timedelta(days=days))
    click.echo(json.dumps({"page": scene.page, "id": str(id), "url": url, "days": days}))


commands: tuple[click.Command, ...] = (official_account,)


def _account(app: str | None) -> OfficialAccount:
    return services().workbench.adapters.official_account(app)


def _wanted(account: OfficialAccount, path: Path) -> Buttons:
    """What the file means, or an exit that tells every fault of it."""
    try:
        return account.wire_menu(read_menu_file(path))
    except MenuUnreadable as error:
        sys.exit(f"{path} {error}")
    except InvalidMenu as error:
        _say(error.faults)
        sys.exit(f"{len(error.faults)} faults in {path}, nothing was sent")


def _known(scene: Scene) -> Scene:
    """The same scene where it names something that there is; else an exit."""

    def look(session: Session, _now: datetime) -> None:
        if scene.kind is SceneKind.DOCTOR:
            doctor_detail(session, scene.id)
        elif scene.kind is SceneKind.DEPARTMENT:
            find_department(session, scene.id)
        elif session.get(Appointment, scene.id) is None:
            raise NotFound()

    try:
        services().workbench.transactions.read(look)
    except NotFound:
        sys.exit(f"no such {scene.kind}")
    except Unavailable as error:
        sys.exit(f"the database is busy or away ({error.code}): run the command again")
    return scene


@contextmanager
def _platform_told() -> Iterator[None]:
    """What the platform has against it, as an exit."""
    try:
        yield
    except NotConfigured:
        sys.exit("no such official account, or no mini-program with it, is configured")
    except ProviderRefused as error:
        sys.exit(f"the platform refused: {error}")
    except ProviderUnavailable as error:
        sys.exit(f"the platform does not answer ({error}): run the command again")


def _changes(there: Buttons | None, wanted: Buttons) -> list[str]:
    """Line by line, `-` what is there and `+` what is wanted; empty where the two are equal."""
    before, after = _lines(there or ()), _lines(wanted)
    compared = difflib.unified_diff(before, after, n=len(before) + len(after), lineterm="")
    return [line for line in compared if not line.startswith(("---", "+++", "@@"))]


def _lines(buttons: Buttons, indent: str = "") -> list[str]:
    """A line for each entry, in JSON, so that nothing that a platform says can move a terminal's cursor."""
    lines: list[str] = []
    for button in buttons:
        rest = {name: value for name, value in sorted(button.items()) if name not in {"name", "sub_button"}}
        told = [button.get("name"), rest] if rest else [button.get("name")]
        lines.append(indent + " ".join(json.dumps(one, ensure_ascii=False) for one in told))
        lines += _lines(button.get("sub_button", ()), indent + "  ")
    return lines


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line)
