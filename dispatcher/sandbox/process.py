"""The sandbox as a process of its own: flags, a ready file, a clean end on SIGTERM."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from dispatcher.sandbox.config import DEFAULT_ACCOUNTS, Account, Kind, SandboxConfig
from dispatcher.sandbox.loopback import NotLoopback
from dispatcher.sandbox.server import Sandbox

_LOOK_SECONDS = 0.25


def parser() -> argparse.ArgumentParser:
    """The flags. Credentials are never among them: they come in the file that --config names."""
    flags = argparse.ArgumentParser(prog="python -m dispatcher.sandbox", description=__doc__)
    flags.add_argument("--config", metavar="FILE", help="settings as JSON; - reads them from standard input")
    flags.add_argument("--host", help="loopback only; default 127.0.0.1")
    flags.add_argument("--port", type=int, help="0: a free one (default)")
    flags.add_argument("--smtp-port", type=int, help="0: a free one (default); -1: no SMTP")
    flags.add_argument("--record", metavar="FILE", help="append what arrives to this file")
    flags.add_argument("--plain-addresses", action="store_true", default=None, help="keep addresses in the record")
    flags.add_argument("--ready-file", metavar="FILE", help="write the ports there, as JSON, once they are open")
    flags.add_argument("--events-url", metavar="URL", help="where SendGrid's events go; {account} stands for the name")
    flags.add_argument("--seed", type=int, help="repeats the faults and fates of an earlier run")
    flags.add_argument("--fault", action="append", default=[], metavar="ACCOUNT:NAME=VALUE",
                       help="for instance *:error=0.05 or twilio:latency=[0.01,0.1]")  # fmt: skip
    flags.add_argument("--event", action="append", default=[], metavar="NAME=VALUE", help="for instance duplicate=0.1")
    flags.add_argument("--fate", action="append", default=[], metavar="NAME=SHARE", help="for instance bounced=0.02")
    flags.add_argument("--die-with-parent", action="store_true", help="end when the process that started this one ends")
    return flags


def configure(given: argparse.Namespace) -> SandboxConfig:
    """The settings of --config, with those of the other flags on top."""
    data: dict[str, Any] = orjson.loads(_read(given.config)) if given.config else {}
    for name in ("host", "port", "record", "plain_addresses", "seed"):
        if getattr(given, name) is not None:
            data[name] = getattr(given, name)
    if given.smtp_port is not None:
        data["smtp_port"] = given.smtp_port if given.smtp_port >= 0 else None
    for text in given.fault:
        account, _, pair = text.rpartition(":") if ":" in text.partition("=")[0] else ("*", "", text)
        _set(data.setdefault("faults", {}).setdefault(account, {}), pair)
    for text in given.event:
        _set(data.setdefault("events", {}), text)
    for text in given.fate:
        _set(data.setdefault("fates", {}).setdefault("shares", {}), text)
    return _with_events_url(SandboxConfig.model_validate_json(orjson.dumps(data)), given.events_url)


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _set(into: dict[str, Any], pair: str) -> None:
    name, equals, value = pair.partition("=")
    if not equals:
        raise ValueError(f"{pair!r} is not NAME=VALUE")
    into[name.replace("-", "_")] = orjson.loads(value)


def _with_events_url(config: SandboxConfig, url: str | None) -> SandboxConfig:
    if not url:
        return config
    accounts = tuple(_told(account, url) for account in config.accounts or DEFAULT_ACCOUNTS)
    return config.model_copy(update={"accounts": accounts})


def _told(account: Account, url: str) -> Account:
    if account.kind is not Kind.SENDGRID or account.events_url:
        return account
    return account.model_copy(update={"events_url": url.replace("{account}", account.name)})


async def serve(config: SandboxConfig, *, ready_file: str = "", die_with_parent: bool = False) -> None:
    """Run until SIGTERM or SIGINT, or until the parent is gone. The ports go to `ready_file` and standard output."""
    ended, loop, parent = asyncio.Event(), asyncio.get_running_loop(), os.getppid()
    # events wait in their hundreds of thousands: the collector's defaults would walk them all again and again
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sandbox = Sandbox(config)
    await sandbox.start()
    watch = loop.create_task(_watch_parent(parent, ended)) if die_with_parent else None
    try:
        _announce(sandbox, ready_file)
        await ended.wait()
    finally:
        if watch is not None:
            watch.cancel()
        await sandbox.stop()


async def _watch_parent(parent: int, ended: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(_LOOK_SECONDS)
    ended.set()


def _announce(sandbox: Sandbox, ready_file: str) -> None:
    state = sandbox.state()
    names = {name: {"kind": found["kind"], "base_url": found["base_url"]} for name, found in state["accounts"].items()}
    ready = {name: state[name] for name in ("pid", "base_url", "smtp_port", "public_key")} | {"accounts": names}
    data = orjson.dumps(ready, option=orjson.OPT_APPEND_NEWLINE)
    if ready_file:
        # whoever waits for the file must never see half of it
        half = Path(f"{ready_file}.part")
        half.write_bytes(data)
        half.replace(ready_file)
    sys.stdout.write(data.decode())
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """0 after a clean end, 2 for flags or settings that cannot be."""
    given = parser().parse_args(arguments)
    try:
        config = configure(given)
    except (ValueError, OSError) as error:
        return _cannot_start(error)
    try:
        asyncio.run(serve(config, ready_file=given.ready_file or "", die_with_parent=given.die_with_parent))
    except (NotLoopback, OSError) as error:
        return _cannot_start(error)
    return 0


def _cannot_start(error: Exception) -> int:
    sys.stderr.write(f"The sandbox cannot start: {error}\n")
    return 2
