"""A site of the test's own: a work folder, a drill, three accounts on a loopback port where nobody listens."""

import shutil

import pytest

from dispatcher import resources
from tests.cli.calls import call

SITE = {
    "DISPATCHER_MODE": "drill",
    "DISPATCHER_ORGANISATION__VERIFY_URL": "https://example.com/verify",
    "DISPATCHER_PROVIDERS__SENDGRID__BASE_URL": "http://127.0.0.1:9",
    "DISPATCHER_PROVIDERS__SENDGRID__API_KEY": "SG.test",
    "DISPATCHER_PROVIDERS__SENDGRID__SENDER": "news@example.com",
    "DISPATCHER_PROVIDERS__TWILIO__BASE_URL": "http://127.0.0.1:9",
    "DISPATCHER_PROVIDERS__TWILIO__ACCOUNT_SID": "AC" + "0" * 32,
    "DISPATCHER_PROVIDERS__TWILIO__AUTH_TOKEN": "secret-token",
    "DISPATCHER_PROVIDERS__TWILIO__SENDER": "+447700900999",
    "DISPATCHER_PROVIDERS__X__BASE_URL": "http://127.0.0.1:9",
    "DISPATCHER_PROVIDERS__X__BEARER_TOKEN": "secret-bearer",
}
PEOPLE = """name,first_name,email,phone,locale
Ana Jones,Ana,ana.jones@example.com,+447700900101,en-GB
Owain Pugh,Owain,owain@example.org,07700 900102,cy-GB
Zoé Moreau,Zoé,zoe@example.net,,fr
No Mail,No,,+447700900104,en
"""
EXAMPLE = resources.shipped("templates") / "messages" / "holding-statement" / "example.toml"
STAFF = [
    ("person", "add", name, "--role", role, "--level", level, "--as", "Ada")
    for name, role, level in (
        ("Ada", "admin", "comms"),
        ("Ana", "author", "comms"),
        ("Ben", "approver", "director"),
        ("Olu", "operator", "comms"),
    )
]
DRAFT = [
    ("audience", "import", "people.csv", "--into", "customers", "--region", "GB", "--as", "Ana"),
    ("incident", "open", "Orders stopped", "--severity", "critical", "--next-update", "in 20m", "--as", "Ana"),
    ("fact", "set", "INC-1", "--facts", EXAMPLE, "--as", "Ana"),
    ("broadcast", "draft", "--template", "holding-statement", "--audience", "customers",
     "--channel", "email,sms,social", "--incident", "INC-1", "--as", "Ana"),
]  # fmt: skip
APPROVAL = [("broadcast", "submit", "B-1", "--as", "Ana"), ("broadcast", "approve", "B-1", "--as", "Ben")]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The environment of a site; the folder to work in."""
    for name, value in SITE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DISPATCHER_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("DISPATCHER_ANCHOR__PATH", str(tmp_path / "state" / "anchor.json"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(site, capsys):
    """Runs one command of that site."""
    return lambda *argv: call(capsys, *argv)


@pytest.fixture
def people_csv(site):
    """Four people; one without a number, one without an address."""
    return site / "people.csv"


@pytest.fixture(scope="session")
def _kept(tmp_path_factory):
    """Sites that were brought to a point once, to be copied by every test that starts there."""
    return tmp_path_factory.mktemp("sites")


@pytest.fixture
def _brought_to(_kept, site, run):
    """Brings the site to a named point: by its commands the first time, by a copy afterwards."""

    def bring(point, steps):
        if not (_kept / point).exists():
            for argv in steps:
                answer = run(*argv)
                assert answer.code == 0, answer.err
            shutil.copytree(site, _kept / point)
        shutil.copytree(_kept / point, site, dirs_exist_ok=True)
        return run

    return bring


@pytest.fixture
def staffed(_brought_to):
    """A site with one of us for each role."""
    return _brought_to("staffed", STAFF)


@pytest.fixture
def drafted(_brought_to):
    """The same with an audience, an incident with facts, and B-1 drafted from them."""
    return _brought_to("drafted", (*STAFF, *DRAFT))


@pytest.fixture
def approved(_brought_to):
    """The same, submitted by Ana and approved by Ben."""
    return _brought_to("approved", (*STAFF, *DRAFT, *APPROVAL))
