"""Dockerfile and compose.yaml by hand, where there is no engine: their own lines, each in a root of its own.

Everything happens in mount namespaces: a stage is an overlay over the stage it comes from, and what the Dockerfile
calls `python:…` is this machine with its own Python. A service runs in a network apart, on a root that is remounted
read-only, as the image's user, without capabilities. Images are not pulled, layers not stored, cgroups not set.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_NAMES = ("postgres", "redis", "sandbox", "api")
_INSTRUCTION = re.compile(r"^(\w+) (.*)$")


@dataclass
class Stage:
    """A stage of the Dockerfile: where its root lies, and how a container of it is started."""

    root: Path
    environ: dict[str, str]
    workdir: str = "/"
    user: str = "0"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its argument, continued lines joined."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        found = _INSTRUCTION.match(line)
        assert found is not None, line
        yield found[1], found[2].strip()


@dataclass
class Hands:
    """A mount namespace that is kept open, the stages that were made in it, and a network of their own for services."""

    holder: subprocess.Popen[bytes]
    network: subprocess.Popen[bytes]
    work: Path
    context: Path
    stages: dict[str, Stage] = field(default_factory=dict)

    def sh(self, script: str, **more: Any) -> str:
        """Run a script in the namespace. Raises: AssertionError with what it said."""
        ended = subprocess.run(
            [*_enter(self.holder, "--mount"), "sh", "-euc", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            **more,
        )
        assert ended.returncode == 0, f"{script}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        return ended.stdout

    def beside(self, *command: str) -> list[str]:
        """A command of this machine in the network of the services."""
        return [*_enter(self.network, "--mount", "--net"), *command]

    # --- the Dockerfile

    def build(self) -> None:
        """Carry out every instruction of every stage."""
        stage = Stage(self.work, {})
        for name, argument in instructions((self.context / "Dockerfile").read_text()):
            if name == "FROM":
                source, _, called = argument.partition(" AS ")
                stage = self._begin(called or "final", self.stages.get(source))
                self.stages[called or "final"] = stage
            else:
                getattr(self, f"_{name.lower()}")(stage, argument)

    def _begin(self, name: str, source: Stage | None) -> Stage:
        folder = self.work / name
        root, lower = folder / "root", source.root if source else Path("/")
        self.sh(
            f"mkdir -p {folder}/up {folder}/work {root}\n"
            f"mount -t overlay -o lowerdir={lower},upperdir={folder}/up,workdir={folder}/work overlay {root}\n"
            f"mount --rbind /proc {root}/proc\nmount --rbind /dev {root}/dev"
        )
        if source is not None:
            return Stage(root, dict(source.environ), source.workdir, source.user)
        python = Path(sys.base_prefix)
        opened = " ".join(f"{root}{folder}" for folder in python.parents if str(folder) != "/")
        self.sh(f"chmod o+x {opened}" if opened else ":")  # an image's Python is for everybody
        return Stage(root, {"PATH": f"{python}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})

    def _workdir(self, stage: Stage, argument: str) -> None:
        stage.workdir = argument
        self.sh(f"mkdir -p {stage.root}{argument}")

    def _env(self, stage: Stage, argument: str) -> None:
        for pair in shlex.split(argument):
            name, _, value = pair.partition("=")
            stage.environ[name] = value.replace("$PATH", stage.environ["PATH"])

    def _arg(self, _stage: Stage, argument: str) -> None:
        """`_run` passes on what pip is told here."""
        assert argument.startswith("PIP_")

    def _run(self, stage: Stage, argument: str) -> None:
        sources = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        command = shlex.quote(f"cd {stage.workdir} && {argument}")
        self.sh(f"chroot {stage.root} /bin/sh -c {command}", env=stage.environ | sources)

    def _copy(self, stage: Stage, argument: str) -> None:
        words = shlex.split(argument)
        origin = self.stages[words.pop(0).removeprefix("--from=")].root if words[0].startswith("--") else self.context
        *sources, target = words
        target = f"{stage.root}{target}" if target.startswith("/") else f"{stage.root}{stage.workdir}/{target}"
        for source in sources:
            path = origin / source.lstrip("/")
            # As COPY does: a folder's content goes into the target, a file goes to it.
            self.sh(
                f"if [ -d {path} ]; then mkdir -p {target}; cp -a {path}/. {target}; else cp -a {path} {target}; fi"
            )
        self.sh(f"chown -R 0:0 {target}; chmod -R go=u,go-w {target}")

    def _user(self, stage: Stage, argument: str) -> None:
        stage.user = argument

    def _cmd(self, stage: Stage, argument: str) -> None:
        stage.command = json.loads(argument)

    def _healthcheck(self, stage: Stage, argument: str) -> None:
        stage.health = json.loads(argument.partition("CMD ")[2])

    def _expose(self, _stage: Stage, argument: str) -> None:
        assert argument.isdigit()

    # --- a service of compose.yaml

    def start(
        self, service: Mapping[str, Any], log: Path, mounts: Mapping[str, Path], host: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """The service's container. `mounts`: what compose would mount where; `host`: the environment it would read."""
        stage = self.of(service)
        root = log.with_suffix(".root")
        mounts = {"/etc/hosts": self.context / "hosts", **mounts}
        binds = "\n".join(f"bind {source} {root}{target}" for target, source in mounts.items())
        self.sh(
            'bind() { if [ -d "$1" ]; then mkdir -p "$2"; else mkdir -p "${2%/*}"; touch "$2"; fi\n'
            '  mount --bind "$1" "$2"; }\n'
            f"mkdir {root}; mount --rbind {stage.root} {root}; mount -t tmpfs tmpfs {root}/tmp\n"
            f"{binds}\nmount -o remount,bind,ro {root}"
        )
        words = [*service.get("entrypoint", []), *service.get("command", stage.command)]
        environ = stage.environ | {name: _filled(str(text), host) for name, text in service["environment"].items()}
        with log.open("wb") as output:
            return subprocess.Popen(
                [*self.inside(root, stage), *(word.replace("$$", "$") for word in words)],
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def inside(self, root: Path, stage: Stage) -> list[str]:
        """A command's beginning: in that root, as the image's user, without capabilities."""
        bare = f"exec setpriv --reuid={stage.user} --regid={stage.user} --clear-groups --bounding-set=-all"
        bare += f' --inh-caps=-all --no-new-privs sh -c \'cd {stage.workdir} && exec "$@"\' -- "$@"'
        return self.beside("chroot", str(root), "sh", "-c", bare, "--")

    def of(self, service: Mapping[str, Any]) -> Stage:
        build = service["build"]
        return self.stages[build["target"] if isinstance(build, dict) else "final"]

    def is_healthy(self, service: Mapping[str, Any], log: Path) -> bool:
        """The image's own health check, once, inside the container."""
        stage = self.of(service)
        command = [*self.inside(log.with_suffix(".root"), stage), *stage.health]
        return subprocess.run(command, env=stage.environ, capture_output=True, check=False, timeout=30).returncode == 0


def _filled(text: str, host: Mapping[str, str]) -> str:
    """`${NAME:-default}` filled in."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: host.get(found[1]) or found[2], text)


@contextmanager
def hands(work: Path) -> Iterator[Hands]:
    """A namespace with a work place in memory, the build context in it, and hosts by the names compose gives them."""
    context = _context(work.with_name("context"))
    work.mkdir()
    (context / "hosts").write_text(f"127.0.0.1 localhost {' '.join(_NAMES)}\n")
    holder = _held("unshare", "--mount", "--propagation=private", doing=f"mount -t tmpfs tmpfs {work}")
    try:
        network = _held(*_enter(holder, "--mount"), "unshare", "--net", doing="ip link set lo up")
        try:
            yield Hands(holder, network, work, context)
        finally:
            network.kill()
            network.communicate()
    finally:
        holder.kill()
        holder.communicate()


def _held(*command: str, doing: str) -> subprocess.Popen[bytes]:
    """A process that does this and then keeps its namespaces open."""
    process = subprocess.Popen([*command, "sh", "-euc", f"{doing}; echo; exec sleep infinity"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    return process


def _enter(holder: subprocess.Popen[bytes], *namespaces: str) -> list[str]:
    return ["nsenter", f"--target={holder.pid}", *namespaces]


def _context(folder: Path) -> Path:
    """What an engine would be sent: the files that .dockerignore lets through."""
    folder.mkdir()
    rules = [rule[1:] for rule in (ROOT / ".dockerignore").read_text().split() if rule.startswith("!")]
    for rule in rules:
        for source in ROOT.glob(rule):
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
    shutil.copyfile(ROOT / "Dockerfile", folder / "Dockerfile")
    return folder
