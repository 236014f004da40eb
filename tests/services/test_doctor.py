"""The doctor against real servers, good and bad: each failing line names its mend and hides what is secret."""

import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
import redis

from dispatcher import bootstrap
from dispatcher.ledger import accounts, meta, migrate
from dispatcher.ledger.engine import Ledger
from dispatcher.services import doctor
from dispatcher.services.doctor import Health


class Hours:
    """A clock that is off by some seconds."""

    def __init__(self, off=0.0):
        self.off = off

    def now(self):
        return datetime.now(UTC) + timedelta(seconds=self.off)

    def monotonic(self):
        return 0.0


class Vendor(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def vendor():
    """A loopback HTTP server that knows nothing but the time."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def examine(settings, clock=None):
    found = doctor.examine(settings, bootstrap.accounts, clock=clock)
    return {finding.about: finding for finding in found}, found


def account(url, **more):
    return {"api_key": "SG.hunter22", "sender": "care@example.com", "base_url": url, **more}


def test_a_fresh_machine_is_well_and_nothing_is_made(make_settings):
    settings = make_settings()
    by, found = examine(settings)
    assert doctor.is_well(found)
    assert by["database"].said.endswith("is made when it is first needed")
    assert by["settings"].health is Health.WARN
    assert by["accounts"].health is Health.WARN
    assert "private one" in by["redis"].said
    assert not settings.work_dir.exists()
    assert not settings.anchor.path.parent.exists()


def test_a_site_file_is_named(tmp_path, make_settings):
    site = tmp_path / "site.toml"
    site.write_text('[organisation]\nname = "Shop"\n')
    by, _ = examine(make_settings(env={"DISPATCHER_CONFIG": str(site)}))
    assert str(site) in by["settings"].said
    assert by["settings"].health is Health.OK


def test_a_ledger_in_use_tells_its_schema_and_epoch(make_settings, database_url):
    bootstrap.build(make_settings(database_url=database_url)).ledger.close()
    by, found = examine(make_settings(database_url=database_url))
    assert doctor.is_well(found)
    assert by["schema"].said == f"{migrate.HEAD} (current)"
    assert by["hold"].said == "none, epoch 1"
    if database_url.startswith("postgresql"):
        assert by["database"].said.startswith("PostgreSQL")
        assert by["clock"].said.endswith("the database")
    else:
        assert "journal" in by["database"].said


def test_an_empty_database_stays_empty(make_settings, postgres_url):
    by, found = examine(make_settings(database_url=postgres_url))
    assert doctor.is_well(found)
    assert by["schema"].said.startswith("empty")
    assert migrate.revision(Ledger(postgres_url)) is None


def test_a_newer_schema_fails(make_settings, database_url):
    ledger = migrate.open_ledger(database_url)
    with ledger.write() as tx:
        tx.change("UPDATE alembic_version SET version_num = '9999'")
    ledger.close()
    by, found = examine(make_settings(database_url=database_url))
    assert not doctor.is_well(found)
    assert "9999 is newer" in by["schema"].said


def test_a_held_ledger_fails_and_names_the_release(make_settings, database_url):
    ledger = migrate.open_ledger(database_url)
    with ledger.write() as tx:
        meta.put(tx, "hold", "The ledger is 3 attempts behind its anchor.")
    ledger.close()
    by, found = examine(make_settings(database_url=database_url))
    assert not doctor.is_well(found)
    assert "3 attempts behind" in by["hold"].said
    assert by["hold"].mend.startswith("dispatcher hold release")


def test_a_database_that_is_away_fails_without_its_password(make_settings, closed_port):
    url = f"postgresql://dispatcher:hunter22@127.0.0.1:{closed_port}/d"
    by, found = examine(make_settings(database_url=url))
    assert by["database"].health is Health.FAIL
    assert "database_url" in by["database"].mend
    assert "hunter22" not in str(found)
    assert "templates" in by


def test_a_database_that_does_not_wait_for_its_disk_fails(make_settings, postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    by, found = examine(make_settings(database_url=postgres_url))
    assert not doctor.is_well(found)
    assert "synchronous_commit" in by["database"].said


def test_a_real_redis_is_asked(make_settings, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory-policy")["maxmemory-policy"]
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            _, found = examine(make_settings(redis_url=redis_url))
        finally:
            client.config_set("maxmemory-policy", before)
    mine = [finding for finding in found if finding.about == "redis"]
    assert [finding.health for finding in mine] == [Health.OK, Health.WARN]
    assert "allkeys-lru" in mine[1].said
    assert doctor.is_well(found)
    assert next(f for f in found if f.about == "clock").said.endswith("Redis")


@pytest.mark.parametrize("scheme", ["redis://:hunter22@127.0.0.1:{port}/0", "nonsense"])
def test_a_redis_that_is_away_fails_without_its_password(make_settings, closed_port, scheme):
    by, found = examine(make_settings(redis_url=scheme.format(port=closed_port)))
    assert by["redis"].health is Health.FAIL
    assert by["redis"].mend
    assert "hunter22" not in str(found)


def test_an_account_within_reach_is_well_and_its_clock_is_compared(make_settings, vendor):
    settings = make_settings({"providers.sendgrid": account(vendor), "public_url": "https://alerts.example.com"})
    by, found = examine(settings)
    assert doctor.is_well(found)
    assert by["account sendgrid"].health is Health.OK
    assert "TEST ENDPOINT" in by["account sendgrid"].said
    assert by["clock"].said.endswith("sendgrid")
    assert "hunter22" not in str(found)


@pytest.mark.parametrize(("off", "health"), [(5, Health.WARN), (-5, Health.WARN), (90, Health.FAIL), (0, Health.OK)])
def test_a_clock_that_is_off_is_told(make_settings, vendor, off, health):
    by, _ = examine(make_settings({"providers.sendgrid": account(vendor)}), Hours(off))
    assert by["clock"].health is health
    if off:
        assert ("ahead of" if off > 0 else "behind") in by["clock"].said


def test_an_account_out_of_reach_fails(make_settings, closed_port):
    smtp = {"sender": "care@example.com", "base_url": f"smtp://127.0.0.1:{closed_port}"}
    blocks = {"sendgrid": account(f"http://127.0.0.1:{closed_port}"), "relay": smtp | {"kind": "smtp"}}
    by, found = examine(make_settings({"providers": blocks}))
    assert not doctor.is_well(found)
    assert "cannot be reached" in by["account sendgrid"].said
    assert "cannot be reached" in by["account relay"].said


def test_a_relay_within_reach_is_well(make_settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"smtp://127.0.0.1:{server.getsockname()[1]}"
        by, _ = examine(make_settings({"providers.smtp": {"sender": "care@example.com", "base_url": url}}))
    assert by["account smtp"].health is Health.OK


def test_an_account_that_lacks_something_names_it_and_the_variables(make_settings):
    by, found = examine(make_settings({"providers.sendgrid": {"sender": "care@example.com"}, "providers.who": {}}))
    assert not doctor.is_well(found)
    assert "api_key" in by["account sendgrid"].said
    assert "DISPATCHER_PROVIDERS__SENDGRID__" in by["account sendgrid"].mend
    assert "No provider is called 'who'" in by["account who"].said


def test_events_that_cannot_come_back_are_told(make_settings, vendor):
    by, _ = examine(make_settings({"providers.sendgrid": account(vendor)}))
    assert by["account sendgrid"].health is Health.WARN
    assert by["account sendgrid"].mend == "Set public_url."


def test_an_account_that_the_ledger_knows_as_stopped_is_told(make_settings, vendor):
    settings = make_settings({"providers.sendgrid": account(vendor), "public_url": "https://alerts.example.com"})
    ledger = bootstrap.build(settings).ledger
    with ledger.write() as tx:
        accounts.ensure(tx, [("sendgrid", "email")], 1)
        accounts.pause(tx, "sendgrid", "HTTP 401", 2)
    ledger.close()
    by, _ = examine(settings)
    assert by["account sendgrid"].health is Health.WARN
    assert "paused: HTTP 401" in by["account sendgrid"].said


def test_a_broken_template_is_named_and_the_others_count(make_settings, tmp_path):
    (tmp_path / "mine/messages/broken").mkdir(parents=True)
    (tmp_path / "mine/messages/broken/template.toml").write_text("id = ")
    by, found = examine(make_settings(templates_dir=tmp_path / "mine"))
    assert not doctor.is_well(found)
    broken = next(f for f in found if f.about == "templates" and f.health is Health.FAIL)
    assert broken.mend
    assert "can be read" in by["templates"].said


def test_a_missing_templates_folder_fails(make_settings, tmp_path):
    _, found = examine(make_settings(templates_dir=tmp_path / "none"))
    assert any(f.about == "templates" and "is no folder" in f.said for f in found)


def test_an_anchor_inside_the_work_folder_is_told(make_settings, tmp_path):
    by, _ = examine(make_settings({"anchor.path": tmp_path / "work/anchor.json"}))
    assert by["anchor"].health is Health.WARN


def test_little_room_is_told(make_settings, monkeypatch):
    monkeypatch.setattr(doctor, "LITTLE_SPACE", 1 << 62)
    by, _ = examine(make_settings())
    assert by["work folder"].health is Health.WARN


def test_folders_that_cannot_be_written_fail(make_settings, tmp_path):
    (tmp_path / "file").touch()
    by, found = examine(
        make_settings({"work_dir": tmp_path / "file/work", "anchor.path": tmp_path / "file/state/anchor.json"})
    )
    assert not doctor.is_well(found)
    assert by["work folder"].health is Health.FAIL
    assert by["anchor"].health is Health.FAIL
