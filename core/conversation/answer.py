"""What a follower of an official account is told. Reading only: nothing is written and nothing is locked.

Open numbers are for everybody. Of an appointment only its owner hears, known by the follower id of a message
that the platform proved whole; to everybody else an appointment that is another's is the same as none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.views import AppointmentView, upcoming_appointments
from core.catalog.departments import PlacedDepartment, PlacedDoctor, doctor_detail, place_of, search, with_those_below
from core.catalog.hospitals import HospitalWish, list_hospitals
from core.catalog.search import normalised
from core.catalog.timetable import ScheduleView, next_open
from core.conversation import words
from core.conversation.scenes import Scene, SceneKind, read_scene
from core.identity.login import account_of
from core.identity.page_login import HOME
from core.ports import Answer, Incoming, IncomingKind, Link, PlatformUser
from models.errors import NotFound
from models.hospital import Department, Hospital
from models.sealing import Vault

LONGEST_ANSWER = 2048
"""Bytes of a text that a platform takes."""

MOST_FOUND, MOST_LINES = 3, 4
MOST_LOOKED_AT = 12
"""Of those that have the name; the ones with open numbers are told first."""
_MOST_UPCOMING = 20
MINE = f"{HOME}?view=appointments"
NEXT_KEY, MINE_KEY, HELP_KEY = "NEXT", "MINE", "HELP"
_KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(("挂号", "预约", "预约挂号", "号源", "next", "book", "gh", "guahao"), NEXT_KEY),
    **dict.fromkeys(("我的", "我的预约", "mine", "wdyy"), MINE_KEY),
    **dict.fromkeys(("帮助", "help", "你好", "hello", "hi"), HELP_KEY),
}
SILENCE = Answer()


@dataclass(frozen=True)
class Follower:
    """Who asks, as what the platform proved, and how a page of ours is entered from the chat."""

    user: PlatformUser
    enter: Callable[[str], str]


def answer_follower(session: Session, incoming: Incoming, follower: Follower, *, vault: Vault, now: datetime) -> Answer:
    """The answer to one message or event; silence where there is nothing to say."""
    talk = _Talk(session, follower, incoming.is_proven, vault, now)
    if incoming.kind in (IncomingKind.FOLLOWED, IncomingKind.SCANNED):
        scene = read_scene(incoming.key)
        if scene is not None:
            return talk.scene(scene)
        return talk.welcome() if incoming.kind is IncomingKind.FOLLOWED else SILENCE
    if incoming.kind is IncomingKind.TAPPED:
        return talk.key(incoming.key)
    return talk.text(incoming.text) if incoming.kind is IncomingKind.TEXT else SILENCE


@dataclass(frozen=True)
class _Talk:
    session: Session
    follower: Follower
    is_proven: bool
    vault: Vault
    now: datetime

    def welcome(self) -> Answer:
        return Answer(text=f"{words.WELCOME}\n\n{words.HELP}")

    def key(self, key: str) -> Answer:
        """A tapped entry. One we do not know is of an older menu."""
        answer = {NEXT_KEY: self._next, MINE_KEY: self._mine}.get(key)
        return Answer(text=words.HELP) if answer is None else answer()

    def text(self, text: str) -> Answer:
        asked = normalised(text)
        if asked in _KEYWORDS:
            return self.key(_KEYWORDS[asked])
        if len(asked) < 2 and asked.isascii():  # one letter is in every name
            return Answer(text=words.HELP)
        found = search(self.session, asked)
        blocks = _open_first(map(self._department, found.departments[:MOST_LOOKED_AT]))
        blocks = blocks or _open_first(map(self._doctor, found.doctors[:MOST_LOOKED_AT]))
        blocks = blocks or _open_first(map(self._hospital, self._hospitals(asked)))
        return Answer(text=_fitting(blocks) if blocks else f"{words.NOTHING_FOUND}\n\n{words.HELP}")

    def scene(self, scene: Scene) -> Answer:
        try:
            return {
                SceneKind.DOCTOR: self._doctor_card,
                SceneKind.DEPARTMENT: self._department_card,
                SceneKind.APPOINTMENT: self._appointment_card,
            }[scene.kind](scene.id)
        except NotFound:
            return Answer(text=f"{words.CODE_UNKNOWN}\n\n{words.HELP}")

    # --- open numbers

    def _next(self) -> Answer:
        """Of the hospital, where there is one; among many nobody can mean all."""
        hospitals = self.session.scalars(select(Hospital).limit(2)).all()
        if len(hospitals) != 1:
            return Answer(text=words.ASK_WHICH)
        return Answer(text=_fitting([self._block(words.NEXT_NUMBERS, self._lines_of(hospitals[0]), HOME)]))

    def _hospital(self, hospital: Hospital) -> str:
        return self._block(f"【{hospital.name}】", self._lines_of(hospital), HOME)

    def _hospitals(self, asked: str) -> list[Hospital]:
        page = list_hospitals(self.session, HospitalWish(asked), cursor=None, limit=MOST_LOOKED_AT)
        return [listed.hospital for listed in page.items]

    def _lines_of(self, hospital: Hospital) -> list[str]:
        found = next_open(self.session, hospital_id=hospital.id, limit=MOST_LINES, now=self.now)
        return [f"{view.department.name} {words.half_day_line(view)}" for view in found]

    def _department(self, placed: PlacedDepartment) -> str:
        title = f"【{placed.department.name}】{placed.hospital.name}"
        lines = [words.half_day_line(view) for view in self._open_in(placed.department)]
        return self._block(title, lines, _page(SceneKind.DEPARTMENT, placed.department.id))

    def _doctor(self, placed: PlacedDoctor) -> str:
        title = f"【{placed.doctor.name}】{placed.hospital.name} {placed.department.name}"
        lines = [words.half_day_line(view, with_doctor=False) for view in self._open_of(placed.doctor.id)]
        return self._block(title, lines, _page(SceneKind.DOCTOR, placed.doctor.id))

    def _block(self, title: str, lines: list[str], target: str) -> str:
        link = f"{words.SEE_HERE}: {self.follower.enter(target)}"
        return "\n".join([title, *(lines or [words.NOTHING_OPEN]), link])

    def _doctor_card(self, doctor_id: UUID) -> Answer:
        placed = doctor_detail(self.session, doctor_id)
        lines = [words.half_day_line(view, with_doctor=False) for view in self._open_of(doctor_id)]
        title = f"{placed.doctor.name} {placed.doctor.title}".strip()
        return self._card(title, f"{placed.hospital.name} {placed.department.name}", lines, SceneKind.DOCTOR, doctor_id)

    def _department_card(self, department_id: UUID) -> Answer:
        placed = place_of(self.session, department_id)
        lines = [words.half_day_line(view) for view in self._open_in(placed.department)]
        return self._card(placed.department.name, placed.hospital.name, lines, SceneKind.DEPARTMENT, department_id)

    def _card(self, title: str, where: str, lines: list[str], kind: SceneKind, subject: UUID) -> Answer:
        description = "\n".join([where, *(lines or [words.NOTHING_OPEN])])
        return Answer(link=Link(title, self.follower.enter(_page(kind, subject)), description))

    def _open_in(self, department: Department) -> list[ScheduleView]:
        ids = with_those_below(self.session, department.id)
        return next_open(self.session, department_ids=ids, limit=MOST_LINES, now=self.now)

    def _open_of(self, doctor_id: UUID) -> list[ScheduleView]:
        return next_open(self.session, doctor_id=doctor_id, limit=MOST_LINES, now=self.now)

    # --- one's own

    def _upcoming(self) -> list[AppointmentView] | None:
        """None for a follower whom no account knows, or whose message anybody could have sent."""
        if not self.is_proven:
            return None
        account_id = account_of(self.session, user=self.follower.user, vault=self.vault)
        if account_id is None:
            return None
        return upcoming_appointments(self.session, account_id=account_id, limit=_MOST_UPCOMING, now=self.now)

    def _mine(self) -> Answer:
        upcoming = self._upcoming()
        if upcoming is None:
            said = words.LOG_IN_TO_SEE
        elif not upcoming:
            said = words.NO_UPCOMING
        else:
            said = words.upcoming_words(len(upcoming), upcoming[0].appointment.visit_date, upcoming[0].period)
        return Answer(link=Link(words.MY_APPOINTMENTS, self.follower.enter(MINE), said))

    def _appointment_card(self, appointment_id: UUID) -> Answer:
        target = f"{HOME}?appointment={appointment_id}"
        own = next((one for one in self._upcoming() or () if one.appointment.id == appointment_id), None)
        if own is None:
            return Answer(link=Link(words.MY_APPOINTMENTS, self.follower.enter(target), words.LOG_IN_TO_SEE))
        said = f"{words.day_words(own.appointment.visit_date, own.period)}\n{own.hospital.name} {own.department.name}"
        return Answer(link=Link(words.MY_APPOINTMENTS, self.follower.enter(target), said))


def _page(kind: SceneKind, subject: UUID) -> str:
    return f"{HOME}{kind}s/{subject}"


def _open_first(blocks: Iterable[str]) -> list[str]:
    """Each takes questions of the database: as soon as enough have open numbers, no more are made."""
    opened: list[str] = []
    empty: list[str] = []
    for block in blocks:
        (empty if words.NOTHING_OPEN in block else opened).append(block)
        if len(opened) == MOST_FOUND:
            break
    return [*opened, *empty][:MOST_FOUND]


def _fitting(blocks: list[str]) -> str:
    """As many of the blocks as a text holds, the first one at least."""
    text = blocks[0]
    for block in blocks[1:]:
        longer = f"{text}\n\n{block}"
        if len(longer.encode()) > LONGEST_ANSWER:
            break
        text = longer
    return text
