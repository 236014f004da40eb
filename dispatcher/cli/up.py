"""`dispatcher up`: web, worker and beat in one go, restarted whenever one stops or gets nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import badge, say
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import ConfigurationError

if TYPE_CHECKING:
    from dispatcher.embedded.broker import Broker
    from dispatcher.embedded.procfile import Program


SHIPPED = """
web: python -m dispatcher.web
worker: celery -A workers.app worker -Q email,sms,social,chat,events,outward,tick --without-gossip --without-mingle --without-heartbeat
beat: celery -A workers.app beat
"""  # noqa: E501 - a Procfile has no line breaks within a command
"""The Procfile of the checkout, for an installation without one."""


@click.command("up", cls=Verb)
@click.option("--embedded", is_flag=True, help="With a private Redis-protocol server, unless one is configured.")
@click.option("--host", help="Where the web process listens; default 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8700, or $PORT.")
@pass_session
def command(session: Session, embedded: bool, host: str | None, port: int | None) -> None:
    """Run web, worker and beat until Ctrl-C, and restart whatever stops."""
    session.overrides |= {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    with _broker(session, embedded) as broker:
        if broker is not None:
            session.overrides["redis_url"] = broker.redis_url
            del session.settings
        _supervise(session, broker)


@contextmanager
def _broker(session: Session, embedded: bool) -> "Iterator[Broker | None]":
    """The private server where one is wanted and none is configured."""
    if session.settings.redis_url:
        yield None
        return
    if not embedded:
        raise ConfigurationError(
            "No Redis-protocol server is configured.",
            mend=("dispatcher up --embedded", "or set DISPATCHER_REDIS_URL to a running one"),
            code="E-CFG-RDS",
        )
    from dispatcher.embedded.broker import Broker

    with Broker(session.settings.work_dir / "broker") as broker:
        yield broker


def _supervise(session: Session, broker: "Broker | None") -> None:
    from dispatcher.embedded.supervisor import Supervisor
    from dispatcher.services.liveness import Progress

    settings = session.settings
    env = settings.child_environment()
    supervisor = Supervisor(
        programs(env),
        env=env,
        heartbeats={"worker": Progress(session.ctx)},
        keep=[broker.ensure] if broker else [],
    )
    accounts = session.ctx.accounts.values()
    mode = badge(settings.mode, test_endpoint=bool(accounts) and all(one.is_loopback for one in accounts))
    say(session, f"{mode}\nhttp://{settings.host}:{settings.port}  Ctrl-C ends it.")
    supervisor.run()


def programs(env: dict[str, str], folder: Path | None = None) -> "list[Program]":
    """What the Procfile here names, else the same three as they were shipped."""
    from dispatcher.embedded import procfile

    path = (folder or Path()) / "Procfile"
    return procfile.load(path, env) if path.is_file() else procfile.parse(SHIPPED, env)
