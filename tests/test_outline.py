"""The few settings that a look needs say what the checked tree says, and what is not asked for is not joined."""

import pytest

from dispatcher import bootstrap
from dispatcher.errors import ConfigurationError
from dispatcher.settings import Settings
from dispatcher.settings.outline import outline


@pytest.fixture
def site(tmp_path):
    """Writes a site's file; the environment that names it."""

    def write(text):
        path = tmp_path / "dispatcher.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return {"DISPATCHER_CONFIG": str(path), "HOME": str(tmp_path / "home")}

    return write


@pytest.mark.parametrize(
    ("text", "more", "flags"),
    [
        ("", {}, {}),
        ("work_dir = 'here'\n", {}, {}),
        ("work_dir = 'here'\n", {"DISPATCHER_WORK_DIR": " /srv/there "}, {}),
        ("work_dir = 'here'\n", {"DISPATCHER_WORK_DIR": "/srv/there"}, {"work_dir": "/srv/flag"}),
        ("database_url = 'postgresql://db.example.com/one'\n", {}, {}),
        ("database_url = 'postgresql://db.example.com/one'\n", {"DISPATCHER_DATABASE_URL": " sqlite:////a.db"}, {}),
    ],
)
def test_it_says_what_the_checked_tree_says(site, text, more, flags):
    env = site(text) | more
    plain, whole = outline(flags, env), Settings.load(overrides=flags, env=env)
    assert (plain.work_dir, plain.ledger_url) == (whole.work_dir, whole.ledger_url)


def test_what_is_not_plainly_written_is_left_to_the_checked_tree(site):
    assert outline({}, site("work_dir = 7\n")) is None
    assert outline({}, site("database_url = ['a']\n")) is None


def test_addresses_of_accounts_come_from_the_highest_layer_that_has_one(site):
    env = site("[providers.relay]\nbase_url = 'smtp://a.example.com'\n[providers.sendgrid]\nsender = 'a@example.com'\n")
    env["DISPATCHER_PROVIDERS__RELAY__BASE_URL"] = "smtp://127.0.0.1:1"
    assert outline({}, env).addresses == {"relay": "smtp://127.0.0.1:1"}


def test_a_look_joins_the_other_parts_when_one_is_asked_for_and_keeps_its_ledger(site, tmp_path):
    env = site(f"work_dir = '{tmp_path}/work'\nmode = 'drill'\n[providers.relay]\nkind = 'smtp'\n")
    ctx = bootstrap.look(outline({}, env), lambda: Settings.load(env=env))
    ledger = ctx.ledger
    assert "accounts" not in vars(ctx)
    assert "relay" in ctx.unusable
    assert (ctx.ledger, ctx.settings.mode) == (ledger, "drill")
    with pytest.raises(AttributeError, match="colour"):
        ctx.colour  # noqa: B018
    ledger.close()


def test_a_wrong_setting_is_told_as_soon_as_settings_are_needed(site, tmp_path):
    env = site(f"work_dir = '{tmp_path}/work'\nport = 'x'\n")
    ctx = bootstrap.look(outline({}, env), lambda: Settings.load(env=env))
    with pytest.raises(ConfigurationError, match="1 setting is wrong"):
        ctx.settings  # noqa: B018
    with pytest.raises(ConfigurationError):
        ctx.accounts  # noqa: B018
    ctx.ledger.close()


def test_an_account_stays_here_only_by_its_address(site, tmp_path):
    env = site(
        f"work_dir = '{tmp_path}/work'\nmode = 'drill'\n[providers.sendgrid]\nbase_url = 'http://127.0.0.1:9'\n"
        "api_key = 'SG.test'\nsender = 'news@example.com'\n[providers.twilio]\naccount_sid = 'x'\n"
        "[providers.x]\nbase_url = 'http://[::1'\n"
    )
    ctx = bootstrap.look(outline({}, env), lambda: Settings.load(env=env))
    looked = [ctx.stays_here(name) for name in ("sendgrid", "twilio", "x", "nobody")]
    assert looked == [True, False, False, False]
    assert "sendgrid" in ctx.accounts
    assert [ctx.stays_here(name) for name in ("sendgrid", "twilio", "x", "nobody")] == looked
    ctx.ledger.close()
