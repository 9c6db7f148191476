"""The gunicorn entry."""

from miniapp_api.app import create_app

app = create_app()
