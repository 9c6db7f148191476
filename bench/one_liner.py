"""The web server's ceiling: a Flask application that answers every request alike, served as ours is."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "ok"
