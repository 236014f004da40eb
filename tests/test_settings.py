"""Settings: which layer wins, where it says so, what survives raw, what is refused and with which mend."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import resources
from dispatcher.errors import ConfigurationError
from dispatcher.model.kinds import Channel, Policy, Severity
from dispatcher.settings import Settings, layers, variable


@pytest.fixture
def site(tmp_path):
    """Writes a site file and returns its folder."""

    def write(text, mode=0o600):
        path = tmp_path / "dispatcher.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return tmp_path

    return write


def load(folder=None, overrides=None, config=None, **env):
    return Settings.load(overrides=overrides, env=env, folder=folder, config=config)


def test_the_shipped_file_says_what_the_program_would_do_without_it():
    written = resources.read_toml(resources.shipped("config") / "default.toml")[0]
    bare = {name: field.get_default() for name, field in Settings.model_fields.items()}
    plain = json.loads(Settings.model_construct(**bare).model_dump_json())
    for key, value in layers.leaves(written):
        inside = plain
        for part in key.split("."):
            inside = inside[part]
        assert inside == value, key


def test_the_shipped_file_names_every_setting():
    text = (resources.shipped("config") / "default.toml").read_text(encoding="utf-8")
    bare = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text)
    named = {key for key, _ in layers.leaves(tomllib.loads(bare))}
    ours = json.loads(load().model_dump_json(exclude={"providers", "token"}))
    assert {key for key, _ in layers.leaves(ours)} == named


def test_each_layer_beats_the_one_below(site):
    folder = site("port = 1\nhost = '127.0.0.2'\n[dispatch]\nundo_seconds = 1\nlease_seconds = 11\n")
    got = load(folder, {"dispatch.undo_seconds": 3}, DISPATCHER_PORT="2", DISPATCHER_DISPATCH__UNDO_SECONDS="2")
    assert (got.host, got.port, got.dispatch.undo_seconds, got.dispatch.lease_seconds) == ("127.0.0.2", 2, 3, 11)
    assert got.dispatch.late_minutes == 15


def test_where_names_the_layer_and_the_line(site):
    folder = site('# mine\npublic_url = "https://a.example.com"\n\n[dispatch.retry]\n# steep\nfactor = 3\n')
    got = load(folder, {"port": 5}, DISPATCHER_LOG__LEVEL="debug")
    assert got.where("public_url").place == f"{folder / 'dispatcher.toml'}:2"
    assert got.where("dispatch.retry.factor").place.endswith("dispatcher.toml:6")
    assert got.where("dispatch.retry.factor").value == "3.0"
    assert got.where("log.level").place == "DISPATCHER_LOG__LEVEL"
    assert got.where("port").layer == "command line"
    assert got.where("host").layer == "default file"
    assert "default.toml:" in got.where("host").place
    assert got.where("anchor.path").layer == "built in"


def test_where_hides_what_may_be_secret():
    got = load(
        DISPATCHER_DATABASE_URL="postgresql://u:hunter22@h/d",
        DISPATCHER_PROVIDERS__SENDGRID__API_KEY="SG.hunter22",
        DISPATCHER_TOKEN="hunter22",
    )
    for key in ("database_url", "providers.sendgrid.api_key", "token", "providers.sendgrid", "providers"):
        assert "hunter22" not in str(got.where(key))
    assert got.where("token").value == "set"
    assert got.where("redis_url").value == "not set"
    assert "hunter22" not in repr(got)
    assert "hunter22" not in str(got)
    assert "sendgrid" in repr(got)


def test_where_suggests_the_key_that_was_meant():
    with pytest.raises(ConfigurationError) as wrong:
        load().where("dispatch.lease_second")
    assert wrong.value.mend == ("Did you mean dispatch.lease_seconds?",)
    with pytest.raises(ConfigurationError, match=r"no setting port\.of"):
        load().where("port.of")


@given(
    st.sampled_from(["0e12", "null", "true", "123456789", "1e5", "[]", '{"a":1}', "00123", "NaN", " ", '"x"', "a,b"])
)
def test_provider_values_survive_as_they_were_written(token):
    got = load(DISPATCHER_PROVIDERS__TWILIO_UK__AUTH_TOKEN=token)
    assert got.providers == {"twilio_uk": {"auth_token": token}}
    assert got.accounts == ("twilio_uk",)


def test_provider_blocks_merge_key_by_key(site):
    folder = site('[providers.sendgrid]\nsender = "care@example.com"\ntimeout = 3\n')
    got = load(
        folder, DISPATCHER_PROVIDERS__SENDGRID__TIMEOUT="4", DISPATCHER_PROVIDERS__X__BASE_URL="http://127.0.0.1:1"
    )
    assert got.providers == {
        "sendgrid": {"sender": "care@example.com", "timeout": "4"},
        "x": {"base_url": "http://127.0.0.1:1"},
    }


def test_an_account_name_must_fit_a_url_and_a_variable(site):
    with pytest.raises(ConfigurationError, match="wrong") as wrong:
        load(site('[providers."send-grid"]\nsender = "x"\n'))
    assert "'send-grid' is no account name" in wrong.value.why


def test_wrong_values_are_all_told_with_their_place_and_never_shown(site):
    folder = site("[dispatch]\nlease_seconds = 1\n")
    with pytest.raises(ConfigurationError) as wrong:
        load(folder, DISPATCHER_PORT="hunter22", DISPATCHER_DATABSE_URL="hunter22", DISPATCHER_REMINDERS__QUIET="25-7")
    why = wrong.value.why
    assert wrong.value.what == "4 settings are wrong."
    assert "reminders.quiet (DISPATCHER_REMINDERS__QUIET): '25-7' are no hours, such as 22:00-07:00" in why
    assert "dispatcher.toml:2" in why
    assert "port (DISPATCHER_PORT)" in why
    assert "databse_url (DISPATCHER_DATABSE_URL): there is no such setting" in why
    assert "hunter22" not in str(wrong.value.as_dict())
    assert wrong.value.exit_code == 3


def test_two_variables_that_cannot_both_be():
    with pytest.raises(ConfigurationError, match="cannot both be set"):
        load(DISPATCHER_DISPATCH="x", DISPATCHER_DISPATCH__LEASE_SECONDS="60")


def test_an_empty_variable_counts_as_unset(site):
    assert load(site("port = 9000\n"), DISPATCHER_PORT="", PORT="").port == 9000


def test_the_platforms_port_is_honoured_below_our_own():
    assert load(PORT="5000").port == 5000
    assert load(PORT="5000").where("port").place == "PORT"
    assert load(PORT="5000", DISPATCHER_PORT="6000").port == 6000


def test_a_flag_that_was_not_given_changes_nothing():
    assert load(overrides={"port": None}).port == 8700


def test_the_site_file_is_looked_for_in_order(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "xdg/dispatcher").mkdir(parents=True)
    (tmp_path / "xdg/dispatcher/dispatcher.toml").write_text("port = 1")
    assert load(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg")).port == 1
    (tmp_path / "config/site.toml").write_text("port = 2")
    assert load(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg")).port == 2
    (tmp_path / "dispatcher.toml").write_text("port = 3")
    assert load(tmp_path).port == 3
    (tmp_path / "named.toml").write_text("port = 4")
    assert load(tmp_path, DISPATCHER_CONFIG=str(tmp_path / "named.toml")).port == 4
    (tmp_path / "flag.toml").write_text("port = 5")
    assert load(tmp_path, config=tmp_path / "flag.toml", DISPATCHER_CONFIG=str(tmp_path / "named.toml")).port == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [("port = ", "not valid TOML"), ("port = 1\nport = 2", "not valid TOML"), (None, "cannot be read")],
)
def test_a_site_file_that_cannot_be_used_is_an_error(tmp_path, text, said):
    path = tmp_path / "named.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load(DISPATCHER_CONFIG=str(path))


def test_folders_in_a_site_file_are_relative_to_it(site):
    folder = site('work_dir = "data"\n[anchor]\npath = "../anchor.json"\n')
    got = load(folder)
    assert got.work_dir == folder / "data"
    assert got.ledger_url == f"sqlite:///{folder / 'data' / 'ledger.db'}"
    assert load(DISPATCHER_DATABASE_URL="postgresql:///d").ledger_url == "postgresql:///d"


def test_data_and_anchor_follow_xdg_and_lie_apart():
    got = load(HOME="/home/ana")
    assert str(got.work_dir) == "/home/ana/.local/share/dispatcher"
    assert str(got.anchor.path) == "/home/ana/.local/state/dispatcher/anchor.json"
    assert str(load(XDG_STATE_HOME="/s", XDG_DATA_HOME="/d").anchor.path) == "/s/dispatcher/anchor.json"


def test_a_secret_can_come_from_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("SG.abc\n")
    path.chmod(0o600)
    got = load(DISPATCHER_PROVIDERS__SENDGRID__API_KEY_FILE=str(path))
    assert got.providers["sendgrid"]["api_key"] == "SG.abc"
    assert got.where("providers.sendgrid.api_key").place == "DISPATCHER_PROVIDERS__SENDGRID__API_KEY_FILE"


def test_a_setting_that_is_itself_a_file_name_stays_one(tmp_path):
    got = load(DISPATCHER_PROVIDERS__SMTP__CA_FILE=str(tmp_path / "ca.pem"))
    assert got.providers["smtp"] == {"ca_file": str(tmp_path / "ca.pem")}


def test_an_address_with_a_password_can_come_from_a_file(tmp_path):
    path = tmp_path / "url"
    path.write_text("redis://:hunter22@127.0.0.1/0")
    path.chmod(0o600)
    assert load(DISPATCHER_REDIS_URL_FILE=str(path)).redis_url == "redis://:hunter22@127.0.0.1/0"


def test_lists_are_words_with_commas_in_a_variable(site):
    assert load(DISPATCHER_ORGANISATION__DOMAINS="a.example, b.example").organisation.domains == (
        "a.example",
        "b.example",
    )
    assert load(site('[organisation]\ndomains = ["a.example"]\n')).organisation.domains == ("a.example",)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ConfigurationError) as wrong:
        load(DISPATCHER_ORGANISATION__TIME_ZONE="Europe/Londno")
    assert "no IANA time zone" in wrong.value.why


def test_every_key_has_an_origin(site):
    got = load(site('[providers.sendgrid]\nsender = "a@example.com"\n'))
    assert {"port", "dispatch.retry.factor", "providers.sendgrid.sender"} <= set(got.all_keys())
    assert all(got.where(key).layer for key in got.all_keys())


def test_a_folder_of_secret_files_stands_below_the_environment(tmp_path):
    path = tmp_path / "dispatcher_providers__x__bearer_token"
    path.write_text("from-file")
    path.chmod(0o400)
    (tmp_path / "unrelated").write_text("x")
    for name in ("DISPATCHER_SECRETS_DIR", "CREDENTIALS_DIRECTORY"):
        got = load(**{name: str(tmp_path)})
        assert got.providers["x"]["bearer_token"] == "from-file"
        assert got.where("providers.x.bearer_token").place == str(path)
    got = load(DISPATCHER_SECRETS_DIR=str(tmp_path), DISPATCHER_PROVIDERS__X__BEARER_TOKEN="from-env")
    assert got.providers["x"]["bearer_token"] == "from-env"


def test_a_secret_that_everybody_can_read_is_refused(tmp_path, site):
    path = tmp_path / "key"
    path.write_text("hunter22")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Everybody") as wrong:
        load(DISPATCHER_PROVIDERS__SENDGRID__API_KEY_FILE=str(path))
    assert wrong.value.mend == (f"chmod 600 {path}",)
    with pytest.raises(ConfigurationError, match="Everybody"):
        load(site('[providers.sendgrid]\napi_key = "hunter22"\n', mode=0o644))
    assert load(site('[providers.sendgrid]\napi_key = "hunter22"\n', mode=0o640)).accounts == ("sendgrid",)
    assert load(site('[providers.sendgrid]\nsender = "a@example.com"\n', mode=0o644)).accounts == ("sendgrid",)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_read_is_an_error(tmp_path, content):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(DISPATCHER_TOKEN_FILE=str(path))


def test_request_size_takes_the_most_exact_setting():
    size = load(overrides={"dispatch.request_size": {"email": 500, "email_critical": 50, "sms": 10}}).dispatch
    assert size.recipients_per_request(Channel.EMAIL, Severity.MAJOR) == 500
    assert size.recipients_per_request(Channel.EMAIL, Severity.CRITICAL) == 50
    assert size.recipients_per_request(Channel.EMAIL, Severity.LIFE_SAFETY) == 20
    assert size.recipients_per_request(Channel.SOCIAL, Severity.MINOR) == 200
    with pytest.raises(ConfigurationError) as wrong:
        load(DISPATCHER_DISPATCH__REQUEST_SIZE__POST="3")
    assert "'post' is no channel" in wrong.value.why


def test_partial_tables_keep_the_other_defaults():
    got = load(
        DISPATCHER_DISPATCH__EXPIRY_HOURS__MINOR="72",
        DISPATCHER_DISPATCH__SETTLE_SECONDS__SMS="600",
        DISPATCHER_DISPATCH__WHEN_UNKNOWN__MAJOR="at_least_once",
    ).dispatch
    assert got.expiry_hours[Severity.MINOR] == 72
    assert got.expiry_hours[Severity.LIFE_SAFETY] == 2
    assert (got.settle_seconds[Channel.SMS], got.settle_seconds[Channel.EMAIL]) == (600, 900)
    assert got.when_unknown[Severity.MAJOR] is Policy.AT_LEAST_ONCE
    assert got.when_unknown[Severity.CRITICAL] is Policy.AT_MOST_ONCE


def test_the_region_of_numbers_is_the_organisations_unless_told():
    assert load(DISPATCHER_ORGANISATION__REGION="IE").region == "IE"
    assert load(DISPATCHER_ORGANISATION__REGION="IE", DISPATCHER_AUDIENCE__REGION="FR").region == "FR"


def test_a_child_process_sees_the_very_same_settings(site, monkeypatch):
    monkeypatch.setenv("DISPATCHER_PORT", "1")
    monkeypatch.setenv("PORT", "2")
    folder = site('[organisation]\nname = "Site"\n[providers.sendgrid]\nsender = "a@example.com"\n')
    got = load(
        folder,
        {"work_dir": folder / "work", "dispatch": {"request_size": {"sms": 7}}, "mode": "drill"},
        DISPATCHER_PROVIDERS__SENDGRID__API_KEY="0e12",
    )
    code = "from dispatcher.settings import Settings; print(Settings.load().model_dump_json(exclude={'providers'}))"
    env = got.child_environment({"EXTRA": "yes"})
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(ran.stdout) == json.loads(got.model_dump_json(exclude={"providers"}))
    assert load(**{k: v for k, v in env.items() if k.startswith("DISPATCHER_")}).providers == got.providers
    assert env["EXTRA"] == "yes"


def test_a_folder_of_the_site_file_holds_for_child_processes_too(tmp_path):
    (tmp_path / "dispatcher.toml").write_text('work_dir = "work"\n')
    got = Settings.load(env={"HOME": str(tmp_path)}, folder=tmp_path)
    env = got.child_environment()
    assert got.work_dir == tmp_path / "work"
    assert Settings.load(env=env).work_dir == tmp_path / "work"
    assert Settings.load(env=env).anchor.path == got.anchor.path


def test_a_variable_of_a_key_and_back():
    assert variable("dispatch.retry.factor") == "DISPATCHER_DISPATCH__RETRY__FACTOR"
    assert layers.key_of("DISPATCHER_DISPATCH__RETRY__FACTOR") == "dispatch.retry.factor"


def test_settings_do_not_change_after_loading():
    got = load()
    with pytest.raises(ValueError, match="frozen"):
        got.port = 1
