"""The menu of an official account as a file that people write, and where its links lead in this deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from core.identity.page_login import read_target
from integrations.wechat import MenuPlace
from miniapp_api.pages import login_path

LARGEST_FILE = 64 * 1024


class MenuUnreadable(Exception):
    """The file is no YAML that we would read."""


def read_menu_file(path: Path) -> Any:
    """What stands in the file, in texts, lists and fields. Raises: MenuUnreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise MenuUnreadable(f"is larger than {LARGEST_FILE // 1024} KiB")
        return _Reading().value(yaml.compose(content.decode("utf-8"), yaml.BaseLoader))
    except OSError as error:
        raise MenuUnreadable(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise MenuUnreadable("is not UTF-8") from None
    except RecursionError:
        raise MenuUnreadable("is nested too deep") from None
    except yaml.YAMLError as error:
        raise MenuUnreadable(f"is not YAML that we read: {' '.join(str(error).split())}") from None


def menu_place(base_url: str, app: str, *, miniapp_appid: str) -> MenuPlace:
    """Where the links of the menu of `app` lead: a page of ours is entered through its login."""

    def enter(target: str) -> str | None:
        if read_target(target) is None:
            return None
        return f"{base_url}{login_path(app)}?to={quote(target, safe='')}"

    return MenuPlace(urlsplit(base_url).hostname or "", enter, miniapp_appid)


class _Reading:
    """Makes texts, lists and fields of a document, whatever tags stand in it: `on` and `010` are what stands there."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def value(self, node: Any) -> Any:
        """Raises: YAMLError (an alias, a field that stands there twice or has no plain name)."""
        if node is None:
            return None
        if id(node) in self._seen:
            raise yaml.YAMLError(f"an alias of line {node.start_mark.line + 1}: write it out")
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one) for one in node.value]
        fields = {self._name(name): self.value(value) for name, value in node.value}
        if len(fields) != len(node.value):
            raise yaml.YAMLError(f"a field stands there twice, line {node.start_mark.line + 1} or below")
        return fields

    def _name(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.YAMLError(f"a field without a plain name, line {node.start_mark.line + 1}")
        return str(node.value)
