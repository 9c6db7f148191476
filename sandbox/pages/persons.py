"""Whom a form means, and whom the browser was last."""

import re

from werkzeug.wrappers import Response

from sandbox.context import this_sandbox
from sandbox.keys import Official
from sandbox.pages.frame import PageError, field
from sandbox.wechat_official import people
from sandbox.wechat_official.people import Person

PERSON_COOKIE = "sandbox_person"
VISITOR_PATH = "/wechat-open"
NAME = re.compile(r"[0-9A-Za-z_-]{1,32}")


def official_named(app: str) -> Official:
    """The account of this name. Raises: PageError 404."""
    official = this_sandbox().keys.official_named(app)
    if official is None:
        raise PageError(404, "app_not_found", app)
    return official


def known_person(official: Official, open_id: str) -> Person:
    """The person of this openid. Raises: PageError 404."""
    person = people.find(this_sandbox(), official, open_id)
    if person is None:
        raise PageError(404, "person_not_found")
    return person


def new_person(official: Official) -> Person:
    """The person whose name the form gives. Raises: PageError 422."""
    name = field("name")
    if NAME.fullmatch(name) is None:
        raise PageError(422, "wrong_name")
    return known_person(official, people.introduce(this_sandbox(), official, name))


def chosen_person(official: Official) -> Person:
    """The person the form chooses: one who is known, or a new one. Raises: PageError 404, 422."""
    open_id = field("open_id")
    return known_person(official, open_id) if open_id else new_person(official)


def remember(response: Response, person: Person) -> None:
    """Let web pages meet this person from now on."""
    response.set_cookie(PERSON_COOKIE, person.open_id, path=VISITOR_PATH, httponly=True, samesite="Lax")
