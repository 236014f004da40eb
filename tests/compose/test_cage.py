"""The cage: a runaway template ends quickly, with plain words, and costs the caller nothing."""

import os
import resource
import time

import pytest

from dispatcher.compose import cage, jobs, workshop
from dispatcher.errors import DispatcherError, TemplateError
from tests.compose.sample import brief_for, catalogue


def job(source, form="text", entry="sms.txt", **facts):
    return {
        "nonce": "abcdefgh12",
        "zone": "UTC",
        "sources": {entry: source},
        "aliases": {"en": {}},
        "words": {"en": {"clock": "{hour:02d}:{minute:02d}", "moment": "{time} on {day}"}},
        "facts": {"en": facts},
        "context": {"en": {}},
        "moments": {"as_of": "2026-11-20T18:30+00:00", "next_update": None},
        "pieces": [{"entry": entry, "form": form, "locale": "en", "voice": "en", "slots": True}],
    }


LETTERS = "a" * 40
NEST = "{% set l = '" + LETTERS + "' %}" + "{% for x in l %}" * 9 + "{body}" + "{% endfor %}" * 9
RUNAWAYS = {
    "endless loop": NEST.replace("{body}", ""),
    "doubling": "{% set a = 'xxxxxxxxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "replacing": "{% set a = 'x' %}" + "{% set a = a|replace('x', 'xxxxxxxxxxxxxxxxxxxx') %}" * 12 + "{{ a|length }}",
}


@pytest.mark.parametrize("source", RUNAWAYS.values(), ids=RUNAWAYS.keys())
def test_a_runaway_is_given_up(source):
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TemplateError) as caught:
        cage.run(job(source), cpu=1)
    assert caught.value.code == "E-TPL-LIMIT"
    assert caught.value.mend
    assert time.monotonic() - began < cage.WALL_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "source", ["{{ 7**9999999 }}", "{{ 'x' * 500000000 }}", "{% for i in range(99999999) %}x{% endfor %}"]
)
def test_sums_and_ranges_end_before_they_begin(source):
    began = time.monotonic()
    with pytest.raises(TemplateError, match="line 1"):
        cage.run(job(source))
    assert time.monotonic() - began < 10


def test_output_has_a_limit():
    with pytest.raises(TemplateError, match="grows longer than 512 KiB"):
        cage.run(job(NEST.replace("{body}", "x")))


def test_a_child_that_sleeps_is_ended_by_the_clock():
    with pytest.raises(TemplateError) as caught:
        cage.run(job(RUNAWAYS["endless loop"]), wall=0.3)
    assert caught.value.code == "E-TPL-LIMIT"


def test_the_child_knows_no_secrets(monkeypatch):
    monkeypatch.setenv("DISPATCHER_PROVIDERS__SENDGRID__API_KEY", "SG.secret")
    monkeypatch.setattr(
        cage, "_BOOT", "import os, sys, json; sys.stdout.write(json.dumps({'made': [dict(os.environ)]}))"
    )
    (seen,) = cage.run({})
    assert "SG.secret" not in str(seen)
    assert set(seen) <= {"LC_CTYPE"}


def test_a_broken_child_is_a_bug_told_as_one(monkeypatch):
    monkeypatch.setattr(cage, "_BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(DispatcherError) as caught:
        cage.run({})
    assert caught.value.exit_code == 1
    assert "no such luck" in caught.value.why


def test_inside_and_outside_agree():
    good = job("{{ problem }} {{ recipient.a or 'x' }} {{ as_of }}", problem=["line", "Down."])
    assert cage.run(good) == workshop.make(good)
    assert workshop.make(good)[0]["text"] == "Down. Qabcdefgh1200tQ 18:30 UTC on Friday 20 November 2026"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ 1 ** 2 }}", "calculate"),
        ("{% if %}", "line 1"),
        ("{% include 'a' %}", "does not exist"),
        ("{{ problem }}", "was not given"),
        ("{% include 'sms.txt' %}", "without end"),
        (NEST.replace("{body}", "xxxxxxxxxxxxxxxx"), "grows longer"),
        ("{{ items }}", "loop over a list"),
    ],
)
def test_errors_of_the_workshop_itself(source, says):
    with pytest.raises(TemplateError, match=says):
        workshop.make(job(source, problem=None, items=["list", ["a"]]))


@pytest.mark.parametrize("template_id", ["holding-statement", "data-breach"])
def test_a_template_comes_out_of_the_cage_as_it_would_without(template_id):
    template = catalogue().get(template_id)
    brief = brief_for(template, locales=tuple(sorted(template.locales())))
    ordered = jobs.orders(template, brief)
    work = jobs.job(template, brief, ordered)
    assert cage.run(work) == workshop.make(work)


def test_filters_of_our_own():
    made = workshop.make(
        job("{{ items|sentence }}|{{ story|paragraphs|join('/') }}|{{ story|lines|length }}",
            items=["list", ["a", "b", "c"]], story=["text", "One\n\nTwo\nThree"])
    )  # fmt: skip
    assert made[0]["text"] == "a, b and c|One/Two\nThree|3"


def test_mail_is_compiled():
    made = workshop.make(job("<mjml><mj-body></mj-body></mjml>", form="html", entry="email.mjml"))
    assert made[0]["text"].startswith("<!doctype html>")
    with pytest.raises(TemplateError, match="no MJML tag"):
        workshop.make(job("<mjml><mj-body><mj-hero></mj-hero></mj-body></mjml>", form="html", entry="email.mjml"))


def test_nothing_is_left_running():
    with pytest.raises(TemplateError):
        cage.run(job(RUNAWAYS["endless loop"]), wall=0.2)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
