"""Only pages of ours can be asked for: whatever a browser makes of an accepted target, it stays below /h5/ (A-34)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.identity.page_login import HOME, LONGEST_TARGET, read_target

OURS = "https://yuezhen.example"
HOSTILE = [
    "", "/", "/h5", "h5/", "h5", "//evil.example", "//evil.example/h5/", "///evil.example", "/\\evil.example",
    "\\\\evil.example", "\\/evil.example", "https:evil.example", "https://evil.example/h5/", "HTTPS://evil.example",
    "javascript:alert(1)", "data:text/html,x", "/h5//evil.example", "/h5/\\evil.example", "/h5/..//evil.example",
    "/h5/../api/v1/account", "/h5/./x", "/h5/..", "/h5/.", "/h5/%2e%2e/api", "/h5/%2f%2fevil.example",
    "%2f%2fevil.example", "%2Fh5%2F", "/h5/%0d%0aLocation:%20https://evil.example", "/h5/\r\nSet-Cookie: a=b",
    "/h5/\nx", "/h5/x\n", "/h5/\t", "\t/h5/", " /h5/", "/h5/ ", "/h5/\0", "/h5/?to=https://evil.example",
    "/h5/#handoff=x", "/h5/?a#b", "/h5/@evil.example", "/h5/;x", "/h5/?a;b", "/H5/", "/h5evil/", "/h5.evil.example/",
    "/h5/http://evil.example", "/ｈ５/", "/h5/ⅰ", "/h5/\u2028", "/h5/\u202e", "/h5／evil.example",
    "/h5/?a=%00", "/h5/?a=<script>", "/h5/?a=\"b", "/h5/?a?b", "/h5/'", "/h5/" + "a" * LONGEST_TARGET,
]  # fmt: skip
FAIR = [
    HOME,
    "/h5/?view=appointments",
    "/h5/doctors/019abf4d-c000-7000-8000-000000000001",
    "/h5/departments/x/?a=b&c=d",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_what_is_not_plainly_a_page_of_ours_is_refused(target: str) -> None:
    assert read_target(target) is None


@pytest.mark.parametrize("target", FAIR)
def test_pages_of_ours_are_taken_as_they_are(target: str) -> None:
    assert read_target(target) == target


def as_browsers_read_it(target: str) -> str:
    """Where it leads on a page of ours: tabs and line breaks drop out, a backslash is a slash, dots are folded."""
    cleaned = re.sub(r"[\t\r\n]", "", target.strip("".join(map(chr, range(33))))).replace("\\", "/")
    return urljoin(f"{OURS}/callbacks/x", cleaned)


PIECES = st.sampled_from(
    ["/h5/", "h5", "/", "\\", ".", "..", ":", "@", "%2f", "%5c", "%00", "?", "#", "&", "=", "evil.example", "https:",
     "\r\n", "\t", " ", "\0", "a", "9", "-", "_", "~", "é", "／", "．", "\u202e"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(lambda parts: "/h5/" + "".join(parts))))
@example("//evil.example")
@example("/h5/\\..\\..//evil.example")
def test_nothing_that_is_accepted_leads_anywhere_else(target: str) -> None:
    accepted = read_target(target)
    for read in {target, unquote(target), unquote(unquote(target))} if accepted else ():
        led = urlsplit(as_browsers_read_it(read))
        assert f"{led.scheme}://{led.netloc}" == OURS, read
        assert led.path.startswith("/h5/"), read
        assert not led.fragment, read
        assert not re.search(r"[\x00-\x20\x7f-\uffff\\<>\"']", read), read


SEGMENT = st.from_regex(r"[0-9A-Za-z_~-]{1,20}", fullmatch=True)


@given(st.lists(SEGMENT, max_size=5), st.dictionaries(SEGMENT, SEGMENT, max_size=3), st.booleans())
def test_every_plain_path_and_query_is_accepted(segments: list[str], query: dict[str, str], slash: bool) -> None:
    path = HOME + "/".join(segments) + ("/" if slash and segments else "")
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
    assert read_target(target) == (target if len(target) <= LONGEST_TARGET else None)
