"""The desk: from a draft to an approved first word by two people, and how many keys that takes."""

import click
import pytest


@pytest.fixture
def keys(monkeypatch):
    """Presses these keys in turn; counts them."""
    pressed = []

    def press(words):
        waiting = list(words)

        def one():
            pressed.append(waiting[0])
            return waiting.pop(0)

        monkeypatch.setattr(click, "getchar", one)
        return pressed

    return press


def state(run):
    return run("broadcast", "show", "B-1", "--json").json["state"]


def test_the_first_word_is_approved_by_two_people_in_eight_keys_or_fewer(drafted, keys):
    keys("1yq")
    written = drafted("desk", "--as", "Ana")
    assert written.code == 0, written.err
    assert "B-1 is submitted." in written.err
    count = keys("1yq")
    agreed = drafted("desk", "--as", "Ben")
    assert "B-1 is approved." in agreed.err
    assert state(drafted) == "approved"
    assert len(count) <= 8, f"{len(count)} keys"


def test_the_words_are_read_before_anything_is_done_and_another_key_goes_back(drafted, keys):
    keys("1n9q")
    looked = drafted("desk", "--as", "Ana")
    assert "sms (en)" in looked.err
    assert "Dear [first_name]," in looked.err
    assert state(drafted) == "draft"


def test_whoever_is_asked_for_a_yes_sees_what_the_check_warned_of_first(drafted, keys):
    keys("1yq")
    drafted("desk", "--as", "Ana")
    keys("1nq")
    asked = drafted("desk", "--as", "Ben").err
    assert asked.index("! L45 email") < asked.index("y to approve it as Ben")


def test_nobody_approves_their_own_words_here_either(drafted, keys):
    keys("1yq")
    drafted("desk", "--as", "Ana")
    keys("1yq")
    refused = drafted("desk", "--as", "Ana")
    assert "may not approve" in refused.err
    assert state(drafted) == "submitted"


def test_an_empty_desk_says_so(staffed, keys):
    keys("xq")
    assert "Nothing waits." in staffed("desk", "--as", "Ana").err


def test_without_a_terminal_it_says_so(staffed, monkeypatch):
    def nowhere():
        raise OSError(6, "No such device or address", "/dev/tty")

    monkeypatch.setattr(click, "getchar", nowhere)
    refused = staffed("desk", "--as", "Ana")
    assert refused.code == 2
    assert "no terminal" in refused.err
    assert "broadcast submit" in refused.err


def test_a_key_confirms_what_was_read_not_what_a_tool_told_while_it_was(drafted, monkeypatch):
    def told(words):
        drafted("fact", "set", "INC-1", f"problem={words}", "--state", "believed", "--source", "pager", "--as", "Ana")

    def press():
        key = waiting.pop(0)
        if key == "c" and len(waiting) == 2:
            told("Nobody can sign in.")
        return key

    told("Some cannot sign in.")
    waiting = list("1cnq")
    monkeypatch.setattr(click, "getchar", press)
    looked = drafted("desk", "--as", "Ana")
    assert "Confirmed: nothing, as it has changed." in looked.err
    assert _problem(drafted) == ("believed", "Nobody can sign in.")
    waiting = list("1cnnq")
    assert "Confirmed: problem." in drafted("desk", "--as", "Ana").err
    assert _problem(drafted) == ("confirmed", "Nobody can sign in.")


def _problem(run):
    [fact] = run("fact", "list", "INC-1", "--name", "problem", "--json").json["facts"]
    return fact["state"], fact["value"]
