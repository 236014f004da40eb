"""The public tree as its readers take it: Statuspage's shape, Atom's and CAP's order, and words that stay words."""

import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import feedparser
import pytest
from capvalidator import check_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.model.fact import ServiceState
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Severity
from dispatcher.reporting.public import statuspage, tree, wording, words
from dispatcher.reporting.public.publication import Publication, PublicIncident, Publisher, Sent, Text, Update

HOSTILE = "x\x00\x0b\u202e</script><script>alert(1)</script>\"'&amp;]]>{{ 7*7 }}{% x %} [a](javascript:alert(1)) ![i](https://e/)"
HOUSE = Publisher(
    "Example & Sons <Ltd>", "https://status.example.com", "example.com", "help@example.com", "+44 1632 960000",
    "https://example.com/help", "en-GB", "Europe/London", {"en": "We never ask for a password."},
)  # fmt: skip
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"


def at(hour, minute=0):
    return datetime(2026, 6, 1, hour, minute, tzinfo=UTC)


def text(headline="Tills are down", body="We are looking into it.", locale="en"):
    return Text(locale, headline, body)


def incident(*updates, ref="INC-1", severity=Severity.MAJOR, **more):
    return PublicIncident(ref, severity, tuple(updates), **more)


FIRST = Update("B-1", at(9), Phase.INVESTIGATING, (text(), text("Les caisses sont en panne", "Nous cherchons.", "fr")))
SECOND = Update("B-2", at(10), Phase.MONITORING, (text("Some tills are back", "- one\n- two"),), correction=True)
OVER = Update("B-3", at(11), Phase.RESOLVED, (text("Everything works again"),))
OPEN = incident(SECOND, FIRST, services={"tills": ServiceState.DOWN}, next_update_at=at(12))
ENDED = incident(OVER, SECOND, FIRST, ref="INC-2", severity=Severity.LIFE_SAFETY, services={"web": ServiceState.DOWN})
ALL = Publication(HOUSE, (ENDED, OPEN), ("web", "tills"), (Sent("BCD23FG", "Tills", at(9), ("email", "sms")),))


@pytest.fixture(scope="module")
def made():
    return tree.files(ALL)


def read(made, name):
    return json.loads(made[f"api/v2/{name}.json"])


def test_readers_of_statuspage_find_its_shape(made):
    """The keys and enums that the published API documents name (https://status.atlassian.com/api, read 2026-11)."""
    summary = read(made, "summary")
    assert set(summary) == {"page", "components", "incidents", "scheduled_maintenances", "status"}
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    assert summary["status"] == {"indicator": "major", "description": "Partial System Outage"}
    (told,) = summary["incidents"]
    assert set(told) >= {
        "id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
        "started_at", "page_id", "incident_updates", "components",
    }  # fmt: skip
    assert (told["status"], told["impact"], told["resolved_at"]) == ("monitoring", "major", None)
    assert [u["status"] for u in told["incident_updates"]] == ["monitoring", "investigating"]
    stamps = re.findall(r'"[a-z]+_at":"([^"]*)"', made["api/v2/incidents.json"].decode())
    assert stamps
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp) for stamp in stamps)
    states = {one["name"]: one["status"] for one in summary["components"]}
    assert states == {"web": "operational", "tills": "major_outage"}
    assert [one["id"] for one in read(made, "incidents/unresolved")["incidents"]] == ["INC-1"]
    ended = next(one for one in read(made, "incidents")["incidents"] if one["id"] == "INC-2")
    assert (ended["status"], ended["resolved_at"]) == ("resolved", "2026-06-01T11:00:00.000Z")
    assert {c["status"] for c in ended["components"]} == {"operational"}
    for name in ("status", "components", "scheduled-maintenances", "scheduled-maintenances/upcoming"):
        assert "page" in read(made, name)


def test_every_phase_and_severity_and_state_has_a_word_everywhere():
    assert {phase.value for phase in Phase} <= set(statuspage.STATES)
    assert set(Severity) == set(statuspage.IMPACT)
    assert set(ServiceState) == set(statuspage.COMPONENT)
    for spoken in words.load("en", "UTC").values():
        for phase in Phase:
            assert spoken[f"phase_{phase.value}"]
        for state in ServiceState:
            assert spoken.works(state)


def test_every_language_says_every_word_itself():
    found = words.load("en", "UTC")
    assert {"en", "fr", "de", "es", "ar"} <= set(found)
    said = {language: set(spoken._said) for language, spoken in found.items()}
    for language, spoken in found.items():
        assert said[language] == said["en"]
        if language != "en":
            assert [n for n in said["en"] if spoken[n] == found["en"][n] and n not in SAME] == []


SAME = {"channel_sms", "channel_chat", "verify_label", "verify_what", "services", "contact"}


def test_feeds_have_what_atom_demands(made):
    feed = ET.fromstring(made["history.atom"])
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Example & Sons <Ltd>"
    entries = feed.findall(f"{ATOM}entry")
    assert [e.findtext(f"{ATOM}id") for e in entries] == ["tag:example.com,2026:INC-2", "tag:example.com,2026:INC-1"]
    for entry in [feed, *entries]:
        assert len(entry.findall(f"{ATOM}id")) == len(entry.findall(f"{ATOM}title")) == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.findtext(f"{ATOM}updated"))
    assert feed.find(f"{ATOM}link[@rel='self']").get("href") == "https://status.example.com/history.atom"
    assert entries[1].findtext(f"{ATOM}title") == "Watching the repair - Some tills are back"
    content = entries[1].findtext(f"{ATOM}content")
    assert content.index("This corrects what we said before.") < content.index("We are looking into it.")
    updates = ET.fromstring(made["updates.atom"]).findall(f"{ATOM}entry")
    assert len({e.findtext(f"{ATOM}id") for e in updates}) == len(updates) == 5
    rss = ET.fromstring(made["history.fr.rss"])
    assert [i.findtext("title") for i in rss.iter("item")][1].startswith("Réparation sous surveillance - ")


def test_a_reader_of_feeds_finds_every_incident_and_every_update(made):
    """feedparser, which most Python readers of feeds are built on, takes all of them without a complaint."""
    feeds = [path for path in made if path.endswith((".atom", ".rss"))]
    assert {"history.atom", "updates.atom", "history.rss", "history.fr.rss"} <= set(feeds)
    for path in feeds:
        found = feedparser.parse(made[path])
        assert not found.bozo, (path, found.get("bozo_exception"))
        assert found.version == ("atom10" if path.endswith(".atom") else "rss20")
        assert len(found.entries) == (5 if path.startswith("updates.") else 2)
        for one in found.entries:
            assert all((one.title, one.id)), path
            assert one.link.startswith("https://status.example.com/")
            assert one.get("updated_parsed") or one.get("published_parsed")
    newest = feedparser.parse(made["history.atom"]).entries[0]
    assert newest.updated_parsed[:5] == (2026, 6, 1, 11, 0)
    assert "We are looking into it." in newest.content[0].value


ORDER = ["identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "code",
         "note", "references", "incidents", "info"]  # fmt: skip
INFO = ["language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience", "eventCode",
        "effective", "onset", "expires", "senderName", "headline", "description", "instruction", "web", "contact",
        "parameter", "resource", "area"]  # fmt: skip
ENUMS = {
    "status": {"Actual"}, "msgType": {"Alert", "Update"}, "scope": {"Public"}, "category": {"Safety", "Infra"},
    "responseType": {"Monitor", "AllClear"}, "urgency": {"Immediate", "Expected", "Past"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor"}, "certainty": {"Observed"},
}  # fmt: skip


def test_cap_messages_keep_the_order_and_the_words_of_the_standard(made):
    paths = [path for path in made if path.startswith("cap/")]
    assert set(paths) == {f"cap/{n}.xml" for n in ("B-1", "B-2", "B-3", "INC-1", "INC-2")}
    for path in paths:
        alert = ET.fromstring(made[path])
        infos = alert.findall(f"{CAP}info")
        for element, order in [(alert, ORDER), *((info, INFO) for info in infos)]:
            names = [child.tag.removeprefix(CAP) for child in element]
            assert names == sorted(names, key=order.index)
        for element in alert.iter():
            name = element.tag.removeprefix(CAP)
            assert name not in ENUMS or element.text in ENUMS[name]
            if name in ("sent", "effective", "expires"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", element.text)
        assert not re.search(r"[\s,<&]", alert.findtext(f"{CAP}identifier"))
        assert check_schema(made[path]).passed, path
    newest = ET.fromstring(made["cap/INC-1.xml"])
    assert newest.findtext(f"{CAP}msgType") == "Update"
    assert newest.findtext(f"{CAP}references") == "help@example.com,example.com.B-1,2026-06-01T09:00:00+00:00"
    first = ET.fromstring(made["cap/B-1.xml"])
    assert [i.findtext(f"{CAP}language") for i in first.findall(f"{CAP}info")] == ["en", "fr"]
    assert ET.fromstring(made["cap/INC-2.xml"]).findtext(f"{CAP}info/{CAP}responseType") == "AllClear"


def test_the_same_words_give_the_same_bytes(made):
    assert tree.files(ALL) == made
    assert tree.digest(tree.files(ALL)) == tree.digest(made)
    assert all(tree.kind(path) for path in made)


def test_every_link_inside_the_tree_leads_to_a_file_of_it(made):
    from posixpath import dirname, join, normpath

    for path, content in made.items():
        if path.endswith(".html"):
            for to in re.findall(r'href="([^"#]+)"', content.decode()):
                if not re.match(r"[a-z]+:", to):
                    assert normpath(join(dirname(path), to)) in made, (path, to)


def test_times_are_told_in_the_zone_of_the_house_and_in_utc():
    spoken = words.load("en-GB", "Europe/London")["en"]
    assert spoken.moment(at(9)) == "1 June 2026, 10:00 BST (09:00 UTC)"
    assert spoken.moment(datetime(2026, 1, 1, 9, tzinfo=UTC)) == "1 January 2026, 09:00 GMT"


def test_an_empty_tree_says_that_all_is_well():
    made = tree.files(Publication(HOUSE))
    assert b"We know of no problems" in made["index.html"]
    assert read(made, "summary")["status"]["indicator"] == "none"
    assert ET.fromstring(made["history.atom"]).findall(f"{ATOM}entry") == []


def test_hostile_words_stay_words():
    bad = Update("B-1", at(9), Phase.INVESTIGATING, (Text("en", HOSTILE, HOSTILE), Text("fr", HOSTILE, HOSTILE, False)))
    one = incident(bad, services={HOSTILE: ServiceState.DOWN})
    made = tree.files(Publication(HOUSE, (one,), (HOSTILE,), (Sent("BCD23FG", HOSTILE, at(9), ("email",)),)))
    for path, content in made.items():
        told = content.decode()
        assert not any(mark in told for mark in ("\x00", "\x0b", "\u202e")), path
        if path.endswith(".html"):
            assert set(re.findall(r"<(script|img|iframe|object|svg)", told)) == set()
            assert "javascript:" not in "".join(re.findall(r'href="[^"]*"', told))
            assert "49" not in told
        elif path.endswith(".json"):
            json.loads(told)
        else:
            ET.fromstring(told)
            assert not path.startswith("cap/") or check_schema(content).passed
            assert path.startswith("cap/") or not feedparser.parse(content).bozo


@given(st.text(max_size=300))
@settings(max_examples=150)
def test_whatever_the_markdown_is_nothing_of_it_runs(markdown):
    made = wording.as_html(Text("en", "", markdown))
    assert set(re.findall(r"<([a-z0-9]+)", made)) <= {
        "p", "ul", "ol", "li", "h2", "h3", "h4", "h5", "h6", "a", "em", "strong", "code", "pre", "br", "hr",
        "blockquote",
    }  # fmt: skip
    assert all(re.match(r"(?i)https?:|mailto:|tel:", to) for to in re.findall(r'href="([^"]*)"', made))
    wording.plain(Text("en", "", markdown))


def test_plain_words_of_a_page():
    body = "Look at [our page](https://example.com/a) or <https://example.com/b>.\n\n## Now\n\n- *one*\n- two\\_three"
    expected = "Look at our page (https://example.com/a) or https://example.com/b.\n\nNow\n\n- one\n- two_three"
    assert wording.plain(Text("en", "", body)) == expected
    assert wording.headline("# Tills \\<are\\> down\n\nWords.") == ("Tills <are> down", "Words.")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("fr", "fr"), ("de-AT,de;q=0.9", "de"), ("xx, ar;q=0.3, es;q=0.2", "ar"), ("fr;q=0, es", "es"),
     ("*", "en"), ("fr;q=abc", "en"), (";;;,,,=", "en"), ("a" * 5000, "en")],
)  # fmt: skip
def test_the_reader_s_language(accepted, language):
    assert words.chosen(words.load("en", "UTC"), accepted).language == language
