"""The pages below /h5/: until the patient app exists, who is logged in, the next appointments, and how to go on in the
mini-program. Public pages name a doctor or a department; what is one's own comes as a fragment, to a bearer only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import structlog
from flask import Flask, Response, request, send_from_directory
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound as NoSuchFile

from core.booking.views import upcoming_appointments
from core.catalog.departments import doctor_detail, place_of, with_those_below
from core.catalog.timetable import next_open
from core.conversation.scenes import Scene, SceneKind, read_scene, write_scene
from core.identity.page_login import HOME, read_target
from core.ports import OfficialAccount, ProviderError
from core.registry import NotConfigured
from miniapp_api.auth import current_caller
from miniapp_api.openapi import endpoint, open_blueprint, patient_blueprint
from miniapp_api.pages import login_address, other_language, page, root_path
from miniapp_api.services import services
from models.account import Account
from models.hospital import Department, Doctor
from schemas.pages import OpenMiniappQuerySchema

blueprint = open_blueprint("h5", "/h5")
own = patient_blueprint("h5_own", "/h5/overview", tag="h5")
BLUEPRINTS = (blueprint, own)

FIRST_PAGE = "pages/index/index"
_MOST_SHOWN = 10
_AN_HOUR = 3600
_FOLDER = Path(__file__).parent / "static" / "h5"
_FILES = frozenset({"h5.css", "h5.js", "icon.svg"})

T = TypeVar("T")
log = structlog.get_logger()


def register(app: Flask) -> None:
    """Serve the files that the pages are made of. They are no operations."""
    files = open_blueprint("h5_files", "/h5/static")
    files.add_url_rule("/<name>", "get_h5_file", _file)
    app.register_blueprint(files)


@endpoint(blueprint, "GET", "/", page=True, stateless=True, summary="The page that the official account's menu opens")
def show_home() -> Response:
    """Empty of anybody's data: its script asks for `/h5/overview` with the token that it keeps for this tab."""
    return _shell("home.html")


@endpoint(blueprint, "GET", "/doctors/<uuid:doctor_id>", page=True, summary="A doctor, and the way to book")
def show_doctor(doctor_id: UUID) -> Response:
    """Where a scene code of the doctor leads."""

    def look(session: Session, now: datetime) -> dict[str, Any]:
        placed = doctor_detail(session, doctor_id)
        found = next_open(session, doctor_id=doctor_id, limit=_MOST_SHOWN, now=now)
        return {"name": placed.doctor.name, "title": placed.doctor.title, "placed": placed, "schedules": found}

    return _shell("place.html", scene=Scene(SceneKind.DOCTOR, doctor_id), **_read(look))


@endpoint(blueprint, "GET", "/departments/<uuid:department_id>", page=True, summary="A department, and the way to book")
def show_department(department_id: UUID) -> Response:
    """Where a scene code of the department leads."""

    def look(session: Session, now: datetime) -> dict[str, Any]:
        placed = place_of(session, department_id)
        found = next_open(session, department_ids=with_those_below(session, department_id), limit=_MOST_SHOWN, now=now)
        return {"name": placed.department.name, "title": "", "placed": placed, "schedules": found}

    return _shell("place.html", scene=Scene(SceneKind.DEPARTMENT, department_id), **_read(look))


@endpoint(
    blueprint,
    "GET",
    "/miniapp",
    query=OpenMiniappQuerySchema,
    status=302,
    also={503: None},
    page=True,
    summary="Open the mini-program",
)
def open_miniapp() -> Response:
    """On to the mini-program that goes with the official account: to the doctor or department that `scene` names, to
    one's own appointments where it names one of them, else to the first page. The links stand for everybody: a stranger
    who asks has none made for what is not there."""
    scene = read_scene(request.args.get("scene", ""))
    try:
        return Response(status=302, headers={"Location": _standing_link(scene)})
    except ProviderError as error:
        log.warning("miniapp_link_failed", kind=type(error).__name__)
        return page("notice.html", status=503, notice="no_link", again=root_path() + HOME)


@endpoint(own, "GET", "", page=True, summary="Who is logged in, and the next appointments, as a fragment of HTML")
def show_overview() -> Response:
    """For the pages' own script, which puts it into the page. Names are masked."""
    caller = current_caller()

    def look(session: Session, now: datetime) -> dict[str, Any]:
        upcoming = upcoming_appointments(session, account_id=caller.account_id, limit=_MOST_SHOWN, now=now)
        return {"account": session.get_one(Account, caller.account_id), "upcoming": upcoming}

    return page("overview.html", open_miniapp=_miniapp_link(caller.app), **_read(look))


def _read(look: Callable[[Session, datetime], T]) -> T:
    return services().workbench.transactions.read(look)


def _shell(template: str, *, scene: Scene | None = None, **facts: Any) -> Response:
    """A page with the part that is one's own left to the script."""
    official = _official()
    target = read_target(request.full_path.removesuffix("?")) or HOME
    account = None if official is None else official.app
    return page(
        template,
        login=None if official is None else login_address(official.app, target),
        open_miniapp=_miniapp_link(account),
        scene=scene and write_scene(scene),
        other_language_link=f"?{urlencode({**request.args, 'lang': other_language()})}",
        **facts,
    )


def _standing_link(scene: Scene | None) -> str:
    """Raises: NotConfigured, ProviderUnavailable, ProviderRefused."""
    official = _official()
    if official is None:
        raise NotConfigured("no official account")
    links = services().workbench.adapters.miniapp_links(official.provider, official.app)
    if scene is None or not _is_there(scene):
        return links.standing_link(FIRST_PAGE, {})
    return links.standing_link(scene.page, scene.query if scene.is_public else {})


def _is_there(scene: Scene) -> bool:
    """Whether the directory knows it. An appointment is not looked for: of that only its owner hears."""
    record = {SceneKind.DOCTOR: Doctor, SceneKind.DEPARTMENT: Department}.get(scene.kind)
    return record is None or _read(lambda session, _now: session.get(record, scene.id)) is not None


def _official() -> OfficialAccount | None:
    """The account that a link names, else the first one; None where there is none."""
    adapters = services().workbench.adapters
    for app in (request.args.get("account"), None):
        try:
            return adapters.official_account(app)
        except NotConfigured:
            continue
    return None


def _miniapp_link(app: str | None) -> Callable[[str | None], str]:
    """Makes links of ours that lead on into the mini-program."""

    def link(scene: str | None = None) -> str:
        told = {name: value for name, value in (("account", app), ("scene", scene)) if value}
        return f"{root_path()}{HOME}miniapp" + (f"?{urlencode(told)}" if told else "")

    return link


def _file(name: str) -> Response:
    if name not in _FILES:
        raise NoSuchFile()
    return send_from_directory(_FOLDER, name, max_age=_AN_HOUR)
