"""For any ASGI server: `uvicorn --factory dispatcher.web.asgi:app`. Ours, strict with slow clients, is web.server."""

from fastapi import FastAPI

from dispatcher import log
from dispatcher.bootstrap import build
from dispatcher.settings import Settings
from dispatcher.web.app import create


def app() -> FastAPI:
    """The application with the settings of this process."""
    settings = Settings.load()
    log.configure(level=settings.log.level, form=settings.log.form)
    return create(build(settings))
