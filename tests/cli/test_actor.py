"""Who acts: a token proves it; a name alone is enough in a drill only."""

import pytest


@pytest.fixture
def live(staffed, monkeypatch):
    """The same people at a live site; Ada and Ana hold tokens."""
    tokens = {name: staffed("person", "token", name, "--as", "Ada").out.strip() for name in ("Ada", "Ana")}
    monkeypatch.setenv("DISPATCHER_MODE", "live")
    return staffed, tokens


def test_a_name_without_a_token_is_refused_live(live, people_csv):
    run, _ = live
    answer = run("audience", "import", people_csv, "--into", "customers", "--as", "Ana")
    assert answer.code == 5
    assert "DISPATCHER_TOKEN" in answer.err
    assert run("audience", "list", "--json").json == {"audiences": []}


def test_a_token_by_file_or_variable_acts_for_its_owner(live, people_csv, site, monkeypatch):
    run, tokens = live
    (site / "token").write_text(tokens["Ana"] + "\n")
    first = ("audience", "import", people_csv, "--region", "GB", "--into")
    assert run(*first, "one", "--token-file", site / "token").code == 0
    monkeypatch.setenv("DISPATCHER_TOKEN", tokens["Ana"])
    assert run(*first, "two").code == 0
    assert run(*first, "three", "--as", "Ada").code == 2
    monkeypatch.setenv("DISPATCHER_TOKEN", "dp_wrong")
    assert run(*first, "four").code == 5


def test_a_token_is_shown_once_and_a_new_one_ends_it(live, site, monkeypatch):
    run, tokens = live
    monkeypatch.setenv("DISPATCHER_TOKEN", tokens["Ada"])
    assert run("person", "token", "Ana", "--to", site / "new").code == 0
    assert (site / "new").stat().st_mode & 0o077 == 0
    assert (site / "new").read_text().strip() != tokens["Ana"]
    monkeypatch.setenv("DISPATCHER_TOKEN", tokens["Ana"])
    assert run("person", "add", "Eve", "--role", "author").code == 5


def test_once_an_admin_holds_a_token_the_machine_alone_is_not_enough(live):
    run, _ = live
    assert run("person", "add", "Eve", "--role", "admin").code == 5
    assert "Eve" not in run("person", "list").out


def test_nobody_named_is_said_so(staffed, people_csv):
    answer = staffed("audience", "import", people_csv, "--into", "customers")
    assert answer.code == 2
    assert "--as" in answer.err


def test_a_token_file_that_is_not_there(staffed):
    assert staffed("incident", "open", "X", "--token-file", "/nonexistent/token").code == 2


def test_in_a_terminal_the_token_is_asked_for_and_never_shown(live, people_csv, monkeypatch):
    run, tokens = live
    monkeypatch.setattr("dispatcher.cli.actor.is_terminal", lambda: True)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: tokens["Ana"])
    answer = run("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--json")
    assert answer.code == 0, answer.err
    assert tokens["Ana"] not in answer.out + answer.err
