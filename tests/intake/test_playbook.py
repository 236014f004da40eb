"""Playbooks as files: read, checked, matched; and words that are filled with a signal without being believed."""

import pytest

from dispatcher import resources
from dispatcher.errors import ConfigurationError
from dispatcher.intake import playbook as books
from dispatcher.intake.playbook import Moment, Playbook, fill, view
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import FactState, Severity
from dispatcher.model.signal import Signal, SignalKind
from tests.intake.samples import NOW
from tests.intake.table import SAMPLES


def seen(**more):
    signal = Signal(
        SignalKind.OPENED, "R7", title="Checkout {title} {{ 7*7 }}", services=("Checkout", "api-7"), occurred_at=NOW,
        labels={"team": "shop"}, **more,
    )  # fmt: skip
    return view("alertmanager", "prod", signal, Severity.CRITICAL)


def book(**more):
    return Playbook.model_validate({"id": "own", "title": "Own", "when": [{}], **more})


def test_the_shipped_playbooks_are_sound():
    found, broken = books.load([resources.shipped("config") / "playbooks"])
    assert broken == {}
    assert [one.id for one in found] == ["security", "supplier", "outage"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("alertmanager", "outage"),
        ("pagerduty", "outage"),
        ("statuspage", "supplier"),
        ("sentry", None),
        ("github", "outage"),
    ],
)
def test_which_shipped_playbook_a_signal_means(name, meant):
    found, _ = books.load([resources.shipped("config") / "playbooks"])
    (signal,) = SAMPLES[name].parse(SAMPLES[name].opened("R7", NOW))
    chosen = books.choose(found, view(name, "main", signal, Severity.CRITICAL))
    assert (chosen.id if chosen else None) == meant


def test_a_security_incident_is_no_outage():
    found, _ = books.load([resources.shipped("config") / "playbooks"])
    assert books.choose(found, seen() | {"labels": {"incident_type": "security_default"}}).id == "security"


def test_matching():
    assert book(when=[{"tools": ["alertmanager"], "sources": ["prod"], "match": "labels.team == 'shop'"}]).fits(seen())
    assert not book(when=[{"tools": ["pagerduty"]}]).fits(seen())
    assert not book(when=[{"sources": ["test"]}]).fits(seen())
    assert not book(when=[{"match": "labels.team == 'bank'"}]).fits(seen())
    assert not book(enabled=False).fits(seen())
    low, high = book(order=1), book(id="other", order=2)
    assert books.choose([high, low], seen()) is low


def test_words_are_filled_once():
    assert fill("{title} at {services[0]}", seen()) == "Checkout {title} {{ 7*7 }} at Checkout"
    assert fill("{{ {labels.team} }}", seen()) == "{ shop }"
    assert fill("{join(', ', services)}", seen()) == "Checkout, api-7"
    assert fill("{labels.missing} x", seen()) == ""


def test_services_speak_as_customers_do_or_not_at_all():
    own = book(words={"checkout": "online orders"}, facts={"affected": {"say": ["{words[0]}", "{words[1]}"]}})
    assert books.facts(own, own.with_words(seen()), Moment.OPENED) == {
        "affected": (["online orders"], FactState.BELIEVED)
    }
    strange = seen() | {"services": ["api-7"]}
    assert books.facts(own, own.with_words(strange), Moment.OPENED) == {}


def test_phases_by_the_tool_s_word_then_by_kind():
    own = book(incident={"phases": {"fixing": "identified", "acknowledged": "identified"}})
    assert own.phase(Signal(SignalKind.UPDATED, "R", phase_raw="Fixing")) is Phase.IDENTIFIED
    assert own.phase(Signal(SignalKind.ACKNOWLEDGED, "R")) is Phase.IDENTIFIED
    assert own.phase(Signal(SignalKind.UPDATED, "R", phase_raw="identified")) is Phase.IDENTIFIED
    assert own.phase(Signal(SignalKind.MITIGATED, "R")) is Phase.MONITORING
    assert own.phase(Signal(SignalKind.UPDATED, "R")) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('id = "x"', "title"), ('id = "own"\ntitle = "t"\nwhen = []', "when"),
        ('id = "own"\ntitle = "t"\nnovel = 1', "novel"),
        ('id = "own"\ntitle = "t"\n[[when]]\nmatch = "a["', "JMESPath"),
        ('id = "own"\ntitle = "t"\n[[when]]\n[incident]\ntitle = "{a"', "brace"),
        ('id = "own"\ntitle = "t"\n[[when]]\n[facts.problem]\nsay = "x"\nstate = "confirmed"', "state"),
        ('id = "own"\ntitle = "t"\n[[when]]\n[promise_minutes]\ncritical = 1', "promise_minutes"),
        ('id = "own"\ntitle = "t"\n[[when]]\n[[draft]]\ntemplate = "t"\nsend = true', "send"), ("id = ", "TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, told):
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        books.read(path)
    assert told in f"{caught.value.what} {caught.value.why}"


def test_one_broken_file_spoils_no_other_and_the_operator_s_comes_first(tmp_path):
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder, title in ((own, "Ours"), (shipped, "Shipped")):
        folder.mkdir()
        (folder / "a.toml").write_text(f'id = "own"\ntitle = "{title}"\n[[when]]\n', encoding="utf-8")
    (own / "b.toml").write_text("nonsense", encoding="utf-8")
    found, broken = books.load([own, shipped])
    assert [one.title for one in found] == ["Ours"]
    assert set(broken) == {"b.toml"}
