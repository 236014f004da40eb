"""The frame of the command line: what help costs, how errors are told, which exit codes come out."""

import inspect
import json
import sqlite3
import subprocess
import sys
from importlib import import_module

import click
import pytest

from dispatcher import errors
from dispatcher.cli import main
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.session import Session
from tests.cli.calls import call

HEAVY = ("celery", "redis", "sqlalchemy", "pydantic", "jinja2", "aiohttp", "fastapi", "rich", "structlog")


def test_help_loads_click_and_nothing_heavy():
    code = (
        "import sys\nfrom dispatcher.cli.main import run\n"
        "run(['--help'])\nprint([m for m in sys.argv[1:] if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(noun in done.stdout for noun in main.NOUNS)


UNREAD = (
    *("celery", "redis", "sqlalchemy", "jinja2", "babel", "regex", "email_validator", "mrml", "css_inline", "aiohttp"),
    *("fastapi", "rich", "structlog", "sendgrid", "twilio", "tweepy", "psycopg", "openpyxl", "numpy", "tenacity"),
    *("pydantic", "pydantic_settings", "asyncio", "ssl", "importlib.metadata", "importlib.resources", "tempfile"),
)


@pytest.mark.parametrize("mode", ["drill", "live"])
def test_looking_at_a_broadcast_loads_no_toolkit_no_renderer_no_vendor_and_checks_no_setting(drafted, mode, site):
    """What is loaded is what a reading command costs, at any size of the broadcast."""
    with sqlite3.connect(site / "work/ledger.db") as ledger:
        ledger.execute("UPDATE broadcast SET mode = ?", (mode,))
    ledger.close()
    code = (
        "import sys\nfrom dispatcher.cli.main import run\n"
        "assert run(['broadcast', 'show', 'B-1']) == 0\n"
        "assert run(['broadcast', 'show']) == 0\n"
        "print([m for m in sys.argv[1:] if m in sys.modules], file=sys.stderr)\n"
        "print(sum(m.split('.')[0] == 'dispatcher' for m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *UNREAD], capture_output=True, text=True, check=True)
    loaded, ours = done.stderr.splitlines()
    assert ("TEST ENDPOINT" in done.stdout) == (mode == "live")
    assert loaded == "[]"
    assert int(ours) <= 75, "more of the house is loaded than a reading command needs"


def verbs_of(noun):
    """The noun's command, and its verbs by name; one that has none is its own."""
    command = main.cli.get_command(click.Context(main.cli), noun)
    if not isinstance(command, click.Group):
        return command, {"": command}
    call = click.Context(command)
    return command, {name: command.get_command(call, name) for name in command.list_commands(call)}


@pytest.mark.parametrize("noun", list(main.NOUNS))
def test_every_noun_of_the_table_loads_and_every_verb_has_a_help_text(noun):
    command, verbs = verbs_of(noun)
    for verb in (command, *verbs.values()):
        assert verb.help
        assert inspect.cleandoc(verb.help).endswith("."), verb.name
    assert all(isinstance(verb, Verb) for verb in verbs.values())


def test_no_verb_of_a_module_is_left_out_of_the_table():
    _, verbs = verbs_of("broadcast")
    modules = map(import_module, {verb.callback.__module__ for verb in verbs.values()})
    assert {verb for module in modules for verb in module.VERBS} == set(verbs.values())


def test_help_of_every_verb_renders(capsys):
    for noun in [noun for noun in main.NOUNS if noun != "sandbox"]:
        for verb in verbs_of(noun)[1]:
            answer = call(capsys, noun, *([verb] if verb else []), "--help")
            assert answer.code == 0
            assert answer.out.startswith("Usage: dispatcher")


def test_the_flags_of_the_sandbox_are_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "sandbox", "--help"], capture_output=True, text=True, check=True
    )
    assert "--fault" in done.stdout


def test_a_slip_is_answered_with_the_nearest_word(capsys):
    answer = call(capsys, "brodcast")
    assert answer.code == 2
    assert "Did you mean broadcast?" in answer.err
    assert answer.out == ""
    assert "Did you mean submit?" in call(capsys, "broadcast", "submitt").err


def test_a_noun_alone_shows_its_help_and_is_no_success(capsys):
    answer = call(capsys, "audience")
    assert answer.code == 2
    assert "import" in answer.err
    assert call(capsys).code == 2


def test_no_option_takes_a_token():
    for noun in main.NOUNS:
        for verb in verbs_of(noun)[1].values():
            assert "--token" not in [flag for param in verb.params for flag in param.opts]


@pytest.fixture
def broken(monkeypatch):
    """A command that raises what the test wants."""

    def make(error):
        def fail():
            raise error

        group = Noun("dispatcher", commands={"fail": Verb("fail", callback=fail)})
        monkeypatch.setattr(main, "cli", group)

    return make


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.ConfigurationError, 3),
        (errors.Refused, 4),
        (errors.IllegalTransition, 4),
        (errors.NotPermitted, 5),
        (errors.ConfirmationWrong, 6),
        (errors.SomeNotReached, 7),
        (errors.NothingSent, 8),
        (errors.LedgerHeld, 8),
        (errors.Stopped, 9),
        (errors.TooLate, 10),
        (errors.WaitTimedOut, 124),
    ],
)
def test_each_error_has_its_exit_code(broken, capsys, kind, code):
    broken(kind("What", why="Why so", mend="do this"))
    answer = call(capsys, "fail")
    assert answer.code == code
    assert answer.err.splitlines() == [f"✖ {kind.default_code}  What", "  Why   Why so", "  Mend  do this"]
    assert answer.out == ""


def test_with_json_an_error_is_one_object_on_stderr(broken, capsys):
    broken(errors.Refused("No", why="w", mend=["a", "b"], code="E-X"))
    answer = call(capsys, "fail", "--json")
    assert json.loads(answer.err) == {"code": "E-X", "what": "No", "why": "w", "mend": ["a", "b"]}
    assert call(capsys, "--json", "nonsense").error["code"] == "E-USE"


def test_an_error_cannot_drive_the_terminal(broken, capsys):
    broken(errors.Refused("row \x1b[2J\u202e of list", why="line one\nline two"))
    err = call(capsys, "fail").err
    assert "\x1b[2J" not in err
    assert "\u202e" not in err
    assert "        line two" in err


def test_a_bug_tells_its_kind_and_place_but_no_data(broken, capsys):
    broken(ValueError("ana@example.com"))
    answer = call(capsys, "fail")
    assert answer.code == 1
    assert "ValueError at " in answer.err
    assert "test_main.py" in answer.err
    assert "example.com" not in answer.err
    assert "Traceback" in call(capsys, "fail", "--trace").err


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://ann:hunter2@127.0.0.1:1/x", "E-LEDGER"),
        ("postgresql://ann:hun@hunter2@127.0.0.1:1/x", "E-LEDGER"),
        ("postgresql://ann:hunter2@[::1/x", "E-CFG"),
    ],
)
def test_a_ledger_that_is_away_is_no_bug_and_its_password_is_not_told(run, monkeypatch, url, code):
    monkeypatch.setenv("DISPATCHER_DATABASE_URL", url)
    for words in (("broadcast", "show"), ("broadcast", "stop", "B-1", "--as", "Olu", "--reason", "x")):
        answer = run(*words)
        assert (answer.code, code in answer.err) == (3, True), answer.err
        assert "hunter2" not in answer.err


def test_ctrl_c_is_130(broken, capsys):
    broken(KeyboardInterrupt())
    assert call(capsys, "fail").code == 130


@pytest.mark.parametrize("argv", [["--as", "Ana", "fail"], ["fail", "--as", "Ana"]])
def test_global_options_stand_before_or_behind_the_command(monkeypatch, capsys, argv):
    seen = []
    from dispatcher.cli.groups import Nouns, everywhere
    from dispatcher.cli.session import pass_session

    verb = Verb("fail", callback=pass_session(lambda session: seen.append(session.who)))
    monkeypatch.setattr(main, "cli", Nouns("d", nouns={}, params=everywhere(), commands={"fail": verb}))
    assert call(capsys, *argv).code == 0
    assert seen == ["Ana"]


@pytest.mark.parametrize("value", ["1", "true", "anything"])
def test_no_color_is_honoured_whatever_it_says(monkeypatch, value):
    monkeypatch.setenv("NO_COLOR", value)
    session = Session()
    main.cli.main(["completions", "bash"], standalone_mode=False, obj=session)
    assert session.color is False


@pytest.mark.parametrize("shell", main.SHELLS)
def test_completions_are_printed(capsys, shell):
    answer = call(capsys, "completions", shell)
    assert answer.code == 0
    assert "_DISPATCHER_COMPLETE" in answer.out


def test_the_console_script_runs():
    done = subprocess.run([sys.executable, "-m", "dispatcher", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dispatcher, version")


def test_an_interrupt_while_a_fault_is_told_ends_as_any_interrupt(monkeypatch):
    """Else Python would end by the signal itself, with a traceback."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "complain", interrupted)
    monkeypatch.setattr(sys, "argv", ["dispatcher", "no-such-command"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130


STRUCK_IN_EVAL = """
import os, signal
from dispatcher.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever began the tests in the background has it ignored

def run(argv):
    try:
        eval("[os.kill(os.getpid(), signal.SIGINT), [n for n in range(1_000_000)]]")
    except KeyboardInterrupt:
        return 130
    return 0

main.run = run
main.main()
"""


def test_an_interrupt_within_eval_ends_with_the_code_and_not_by_the_signal(tmp_path):
    (tmp_path / "struck.py").write_text(STRUCK_IN_EVAL)
    assert subprocess.run([sys.executable, "-m", "struck"], cwd=tmp_path, check=False).returncode == 130
