import pytest

from dispatcher.embedded.procfile import Program, load, parse
from dispatcher.errors import ConfigurationError


def test_names_and_words_in_order():
    text = "# what runs\nweb: serve --port 8700\n\nworker: celery -A 'workers.app' worker  # all queues\n"
    assert parse(text, {}) == [
        Program("web", ("serve", "--port", "8700")),
        Program("worker", ("celery", "-A", "workers.app", "worker")),
    ]


@pytest.mark.parametrize(
    ("word", "env", "told"),
    [
        ("$PORT", {"PORT": "5000"}, "5000"),
        ("${PORT}", {"PORT": "5000"}, "5000"),
        ("${PORT:-8700}", {}, "8700"),
        ("${PORT:-8700}", {"PORT": ""}, "8700"),
        ("--bind=${HOST:-127.0.0.1}:$PORT", {"PORT": "1"}, "--bind=127.0.0.1:1"),
        ("$NAME", {"NAME": "two words; $PORT"}, "two words; $PORT"),
        ("$MISSING", {}, ""),
    ],
)
def test_variables_are_replaced_and_a_value_stays_one_word(word, env, told):
    assert parse(f"web: serve {word}", env)[0].argv == ("serve", told)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("web serve", "name: command"),
        ("web: serve 'open", "not closed"),
        ("web: # nothing", "missing"),
        ("web: a\nweb: b", "named twice"),
    ],
)
def test_a_wrong_line_is_named(text, why):
    with pytest.raises(ConfigurationError) as wrong:
        parse(text, {})
    assert why in wrong.value.why
    assert f"Line {text.count(chr(10)) + 1}" in wrong.value.what


def test_a_missing_procfile_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(ConfigurationError, match="Procfile"):
        load(tmp_path / "Procfile", {})
