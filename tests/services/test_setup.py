"""First settings of a site: what is asked, what is written, what is never in it."""

import tomllib

import pytest
from pydantic import BaseModel

from dispatcher import provider
from dispatcher.errors import UsageError
from dispatcher.services import setup
from dispatcher.settings import Settings

ALL = {kind: kind for kind in provider.kinds()}
ANSWERS = {question.key: question.default for question in setup.QUESTIONS}


def load(path):
    return Settings.load(env={}, config=path)


def test_what_is_written_is_what_was_answered(tmp_path):
    path = tmp_path / "site.toml"
    answers = ANSWERS | {
        "organisation.name": 'Shop "of" Ünïts',
        "public_url": "https://alerts.example.com",
        "work_dir": "data",
        "providers.sendgrid.sender": "care@example.com",
    }
    setup.write(path, setup.compose(answers, {"sendgrid": "sendgrid"}))
    got = load(path)
    assert got.organisation.name == 'Shop "of" Ünïts'
    assert got.public_url == "https://alerts.example.com"
    assert got.work_dir == tmp_path / "data"
    assert got.providers == {"sendgrid": {"kind": "sendgrid", "sender": "care@example.com"}}
    assert got.where("organisation.name").layer == "site file"


def test_every_answer_stands_under_its_comment():
    lines = setup.compose(ANSWERS, {}).splitlines()
    for question in setup.QUESTIONS:
        last = question.key.rpartition(".")[2]
        place = next(i for i, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{last} = "))
        assert lines[place - 1] == f"# {question.words}."
    assert len(tomllib.loads("\n".join(lines))) == 1


def test_no_secret_has_a_line_of_its_own_and_each_has_a_variable(tmp_path):
    text = setup.compose(ANSWERS, ALL)
    variables = setup.secrets(ALL)
    for name in variables:
        assert f"secret, from {name}" in text
    assert "DISPATCHER_PROVIDERS__SENDGRID__API_KEY" in variables
    assert "DISPATCHER_PROVIDERS__TWILIO__AUTH_TOKEN" in variables
    blocks = tomllib.loads(text)["providers"]
    assert {name: list(block) for name, block in blocks.items()} == {kind: ["kind"] for kind in ALL}


def test_every_further_key_of_an_account_is_there_to_be_uncommented(tmp_path):
    """Uncommenting a line gives the default, in TOML that the provider's own model accepts."""
    for kind in ALL:
        text = setup.compose({}, {kind: kind})
        block = text[text.index(f"[providers.{kind}]") :]
        lines = [line[2:] for line in block.splitlines() if line[:2] == "# " and " = " in line and "…" not in line]
        values = tomllib.loads("\n".join(lines))
        model: type[BaseModel] = provider.load(kind).Settings
        for key, value in values.items():
            field = model.model_fields[key]
            assert field.get_default(call_default_factory=True) in (value, None), key


def test_what_an_account_cannot_do_without_is_asked():
    assert {q.key for q in setup.needed({"eu": "sendgrid"})} == {"providers.eu.sender"}
    assert {q.key for q in setup.needed({"smtp": "smtp"})} == {"providers.smtp.sender", "providers.smtp.base_url"}


def test_accounts_are_named_by_kind_or_name_and_kind():
    assert setup.account_kinds(["sendgrid", "backup=smtp"]) == {"sendgrid": "sendgrid", "backup": "smtp"}
    with pytest.raises(UsageError, match="sendgird") as wrong:
        setup.account_kinds(["sendgird"])
    assert "sendgrid" in wrong.value.why


def test_a_file_that_is_there_is_kept(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text("port = 1\n")
    with pytest.raises(UsageError, match="there already"):
        setup.write(path, "port = 2\n")
    assert load(path).port == 1
    setup.write(path, "port = 2\n", replace=True)
    assert load(path).port == 2


def test_what_could_not_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "site.toml"
    with pytest.raises(Exception, match="wrong"):
        setup.write(path, setup.compose(ANSWERS | {"organisation.time_zone": "Europe/Londno"}, {}))
    assert list(tmp_path.iterdir()) == []


def test_the_schema_has_a_branch_for_every_installed_provider():
    schema = setup.schema()
    branches = schema["properties"]["providers"]["additionalProperties"]["anyOf"]
    assert {branch["$ref"].rpartition("_")[2] for branch in branches} == set(ALL)
    assert schema["$defs"]["account_sendgrid"]["properties"]["api_key"]["writeOnly"] is True
    assert schema["properties"]["port"]["default"] == 8700
    assert set(Settings.model_fields) == set(schema["properties"])


def test_every_reference_of_the_schema_leads_somewhere():
    schema = setup.schema()
    for reference in references(schema):
        node = schema
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key == "$ref" else references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
