"""`gunicorn.conf.py` for `bench.one_liner`: the same server, without the hooks that look for our application."""

from __future__ import annotations

import runpy

_OURS = runpy.run_path("gunicorn.conf.py")
globals().update(
    {name: value for name, value in _OURS.items() if name not in ("post_worker_init", "worker_exit", "__name__")}
)
