"""What reaches the terminal."""

from datetime import UTC, datetime, timedelta, timezone

import click

from dispatcher.cli import screen
from dispatcher.cli.session import Session, join_words


def test_a_table_has_no_boxes_and_numbers_stand_to_the_right():
    text = screen.table(["name", "size"], [["customers", 12_480], ["press", 7]])
    assert text.splitlines() == ["name         size", "customers  12,480", "press           7"]


def test_wide_letters_and_marks_keep_the_columns():
    lines = screen.table(["name", "n"], [["王秀英", 1], ["Zoe\u0301", 2]]).splitlines()
    assert {screen.width(line) for line in lines} == {9}


def test_names_cannot_drive_the_terminal():
    text = screen.table(["name"], [["a\x1b[31m\u202eb\nc"], ["plain"]])
    assert "\x1b" not in screen.printable("a\x1b[31m")
    assert "\u202e" not in text
    assert len(text.splitlines()) == 3


def test_json_says_instants_in_utc(capsys):
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    screen.show(Session(json=True), {"at": moment, "names": frozenset({"a"})}, "words")
    assert capsys.readouterr().out == '{\n  "at": "2026-01-01T10:00:00Z",\n  "names": [\n    "a"\n  ]\n}\n'
    assert screen.as_json({"at": datetime(2026, 1, 1, tzinfo=UTC)}) == '{"at": "2026-01-01T00:00:00Z"}'


def test_remarks_go_to_stderr_and_are_not_for_machines(capsys):
    screen.say(Session(), "remark")
    assert capsys.readouterr() == ("", "remark\n")
    screen.say(Session(json=True), "remark")
    assert capsys.readouterr() == ("", "")


def test_the_mode_is_said_in_words():
    words = [
        click.unstyle(screen.badge(*a, **k))
        for a, k in ((("drill",), {}), (("live",), {}), (("live",), {"test_endpoint": True}))
    ]
    assert words[0].startswith(" DRILL ")
    assert words[1].startswith(" LIVE ")
    assert words[2].startswith(" LIVE · TEST ENDPOINT ")


def test_words_are_joined_as_in_a_sentence():
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
    assert join_words([]) == ""
