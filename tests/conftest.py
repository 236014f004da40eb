"""What every test may ask for: settings in a temporary work folder, a real Redis-protocol server, a real PostgreSQL.

Nothing here talks to anything but this machine: a connect to another address fails the test. Where a server is
missing its tests are skipped; with DISPATCHER_TEST_NO_SKIPS=1, as in CI, a skip is a failure.
"""

import ipaddress
import os
import socket

import pytest
import redis
from hypothesis import HealthCheck, settings

from dispatcher.settings import Settings
from tests import postgres

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("house")

_NO_SKIPS = os.environ.get("DISPATCHER_TEST_NO_SKIPS") == "1"


def pytest_configure(config):
    """No test sees the settings or the home of whoever runs it."""
    for name in [n for n in os.environ if n.startswith("DISPATCHER_") and not n.startswith("DISPATCHER_TEST_")]:
        del os.environ[name]
    os.environ.pop("PORT", None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if _NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"Skipped where nothing may be: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if _NO_SKIPS and report.outcome == "skipped":
        report.outcome, report.longrepr = "failed", f"Skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(autouse=True, scope="session")
def _house_of_its_own(tmp_path_factory):
    """XDG folders in a temporary place, so that neither ledger nor anchor ever lands in a home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(autouse=True, scope="session")
def _loopback_only():
    """A connect to any other address is refused before it starts."""
    real = socket.socket.connect

    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError("A test tried to leave this machine.")
        return real(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def make_settings(tmp_path):
    """Builds Settings with a work folder of the test's own; arguments are further overrides (dotted keys in a dict)."""

    def make(overrides=None, *, env=None, **more):
        own = {"work_dir": tmp_path / "work", "anchor.path": tmp_path / "state" / "anchor.json"}
        return Settings.load(overrides=own | (overrides or {}) | more, env=env or {})

    return make


@pytest.fixture(scope="session")
def _redis_server():
    """The URL of a real server: DISPATCHER_TEST_REDIS, else a private one of this test process."""
    from dispatcher.embedded.broker import Broker

    if given := os.environ.get("DISPATCHER_TEST_REDIS"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        yield f"{given.rstrip('/')}/{int(worker.removeprefix('gw')) + 1}"
        return
    with Broker() as broker:
        yield broker.redis_url


@pytest.fixture
def redis_url(_redis_server):
    """A real, empty Redis-protocol server."""
    with redis.Redis.from_url(_redis_server, socket_timeout=5) as client:
        client.flushdb()
    return _redis_server


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL: DISPATCHER_TEST_POSTGRES, else a private one where PostgreSQL is installed."""
    server = postgres.Server(os.environ.get("DISPATCHER_TEST_POSTGRES", ""))
    if not server.url:
        if (found := postgres.binaries()) is None:
            pytest.skip("no PostgreSQL here: install it or set DISPATCHER_TEST_POSTGRES")
        server.start(found)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server):
    """A new empty PostgreSQL database."""
    url = postgres_server.fresh()
    yield url
    postgres_server.drop(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """A new empty database, once as a SQLite file and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("postgres_url")
