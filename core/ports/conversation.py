"""An account of ours that people follow and talk to, and the doors it opens into the mini-program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from core.ports.login import PageSigner
from core.ports.money import Reply


class IncomingKind(StrEnum):
    """What a follower did. `scanned` comes from a follower, `followed` may carry a scanned scene too."""

    FOLLOWED = "followed"
    UNFOLLOWED = "unfollowed"
    SCANNED = "scanned"
    TAPPED = "tapped"
    OPENED = "opened"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True)
class Incoming:
    """One verified message or event. `dedup` is equal for every copy that the platform sends of it.

    `key`: the scene of a followed or scanned code, the key of a tapped entry, the address of an opened one.
    `return_to` is the adapter's own: what it needs to answer in the form the message came in. Unless `is_proven`
    the signature covers a stamp and not the words: anybody who saw one such message may have written this one.
    """

    app: str
    dedup: str
    kind: IncomingKind
    follower: str = field(repr=False)
    sent_at: datetime
    key: str = ""
    text: str = field(default="", repr=False)
    is_proven: bool = True
    return_to: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Link:
    """A card that opens an address: shown with its title and a line below."""

    title: str
    url: str
    description: str = ""


@dataclass(frozen=True)
class Answer:
    """What a follower is told: a text, or one link. An empty answer is silence."""

    text: str = ""
    link: Link | None = None


class Conversation(Protocol):
    """Reads what followers of one official account send, and answers in the platform's form."""

    provider: str
    app: str

    def greet(self, query: Mapping[str, str]) -> Reply:
        """Answer the platform's check of our address. Raises: InvalidSignature."""

    def check(self, query: Mapping[str, str], body: bytes, *, now: datetime) -> Incoming:
        """Prove, open and read one message; every fault of it is one refusal. Raises: InvalidSignature."""

    def reply(self, incoming: Incoming, answer: Answer) -> Reply:
        """The platform's form of an answer, encrypted where the message was."""

    def refused(self) -> Reply:
        """The reply that tells a sender nothing."""


@dataclass(frozen=True)
class SceneCode:
    """A code to scan; `url` is what the picture encodes."""

    url: str
    ticket: str
    expires_in: timedelta


class OfficialAccount(PageSigner, Protocol):
    """What we ask of the platform in the name of one official account.

    Every verb that asks raises ProviderUnavailable and ProviderRefused.
    """

    provider: str
    app: str

    def menu(self) -> Sequence[Mapping[str, Any]] | None:
        """The buttons in the platform's form; None where there is no menu."""

    def wire_menu(self, document: object) -> Sequence[Mapping[str, Any]]:
        """The platform's form of a menu that people wrote, checked by the platform's rules. Asks nobody.

        Raises: InvalidMenu."""

    def set_menu(self, buttons: Sequence[Mapping[str, Any]]) -> None:
        """Put these buttons in the place of the ones that are there."""

    def scene_code(self, scene: str, *, lasts: timedelta) -> SceneCode:
        """A code that brings whoever scans it here with `scene` (1 to 64 characters)."""


class MiniappLinks(Protocol):
    """Links into a mini-program from outside of it."""

    provider: str
    app: str

    def link(self, path: str, query: Mapping[str, str], *, lasts: timedelta) -> str:
        """An https address that opens the page `path` (no leading slash). Raises: ProviderUnavailable,
        ProviderRefused."""

    def standing_link(self, path: str, query: Mapping[str, str]) -> str:
        """One for whoever asks, made once and handed out again while it has a day left: a platform counts how many it
        makes. Raises: ProviderUnavailable, ProviderRefused."""


class AppGateway(Protocol):
    """The one address to which a platform sends the events of an app, and by which it checks that we are there."""

    provider: str
    app: str

    def answer(self, body: bytes) -> Reply:
        """Prove the message and answer in the platform's form. Raises: InvalidSignature."""

    def refused(self) -> Reply:
        """The platform's form of a refusal."""
