"""What becomes public, and when: over a real ledger, with a moved clock."""

import json
import os
import threading
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from dispatcher.errors import Refused
from dispatcher.ledger import documents, people
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import ServiceState
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person, Role
from dispatcher.model.template import Document
from dispatcher.people import PROGRAM
from dispatcher.services import incidents, publishing, status_tree, ticking
from dispatcher.services.incidents import Change, Opening
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    world = World(tmp_path, database_url, **{"status.folder": str(tmp_path / "www" / "status")})
    world.add_account("mail", "email")
    world.audience(2)
    with world.ctx.ledger.write() as tx:
        world.ana = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), 1)
    yield world
    world.ctx.ledger.close()


def opened(world, who=None, **more):
    return incidents.open_incident(world.ctx, who or world.ana, Opening("host-7 burns", mode=Mode.LIVE, **more))


def say(world, incident, headline, *, pages=True, **columns):
    """A released broadcast about an incident; its id."""
    made = world.broadcast(["email"], {"email": ["mail"]}, mode="live")
    now = to_ms(world.clock.now())
    columns = {"incident_id": incident.id, "submitted_at": now, "code": f"CODE{made}", "title": headline} | columns
    with world.ctx.ledger.write() as tx:
        pairs = ", ".join(f"{name} = :{name}" for name in columns)
        tx.change(f"UPDATE broadcast SET {pairs} WHERE id = :b", b=made, **columns)
        if pages:
            documents.replace(tx, made, [Document("page", "en", "", "md", f"# {headline}\n\nWords.")])
    world.release(made)
    return made


def only(world):
    (one,) = publishing.gather(world.ctx).incidents
    return one


def test_nothing_is_public_before_words_were_released(world):
    incident = opened(world)
    assert publishing.gather(world.ctx).incidents == ()
    say(world, incident, "No page", pages=False)
    assert publishing.gather(world.ctx).incidents == ()
    say(world, incident, "A test", relation="test")
    say(world, incident, "A notice", relation="notice")
    assert publishing.gather(world.ctx).incidents == ()
    assert [one.title for one in publishing.gather(world.ctx).sent] == ["No page"]


def test_a_person_moves_the_phase_and_a_signal_only_with_words(world):
    incident = opened(world)
    world.clock.pass_by(60)
    say(world, incident, "We are looking into it")
    world.clock.pass_by(60)
    incidents.update(world.ctx, PROGRAM, incident.ref, Change(phase=Phase.IDENTIFIED))
    assert only(world).phase is Phase.INVESTIGATING
    world.clock.pass_by(60)
    incidents.update(world.ctx, world.ana, incident.ref, Change(phase=Phase.MONITORING))
    assert [u.phase for u in only(world).updates] == [Phase.MONITORING, Phase.INVESTIGATING]
    assert only(world).updates[0].texts == ()
    incidents.update(world.ctx, PROGRAM, incident.ref, Change(phase=Phase.RESOLVED))
    assert only(world).phase is Phase.MONITORING
    world.clock.pass_by(60)
    say(world, incident, "It works again")
    assert only(world).phase is Phase.RESOLVED
    assert only(world).name("en") == "It works again"
    assert only(world).over_at == world.clock.now()


def test_closing_what_was_resolved_says_nothing_new(world):
    incident = opened(world)
    say(world, incident, "Down")
    world.clock.pass_by(60)
    incidents.update(world.ctx, world.ana, incident.ref, Change(phase=Phase.RESOLVED))
    before = only(world)
    world.clock.pass_by(60)
    incidents.close(world.ctx, world.ana, incident.ref, "an internal lesson")
    assert only(world) == before


@pytest.mark.parametrize(("who", "shown"), [("person", True), ("signal", False)])
def test_a_promise_of_a_person_is_shown_and_one_of_a_signal_is_not(world, who, shown):
    at = world.clock.now() + timedelta(minutes=30)
    incident = opened(world, world.ana if who == "person" else PROGRAM, next_update_at=at)
    say(world, incident, "Down")
    assert only(world).next_update_at == (at if shown else None)


def test_services_stand_as_the_released_page_said_and_not_as_the_fact_sheet_says_now(world):
    incident = opened(world)
    told = [["services", None, "online orders:down; click and collect@Scotland:degraded"]]
    say(world, incident, "Down", facts=json.dumps(told))
    assert only(world).services == {
        "online orders": ServiceState.DOWN,
        "click and collect (Scotland)": ServiceState.DEGRADED,
    }
    world.clock.pass_by(60)
    say(world, incident, "Back", facts=json.dumps([["services", None, "online orders:operational"]]))
    assert only(world).services == {"online orders": ServiceState.OPERATIONAL}


def test_a_correction_is_one_more_update(world):
    incident = opened(world)
    say(world, incident, "Tills are down")
    world.clock.pass_by(60)
    say(world, incident, "Only some tills are down", relation="correction")
    assert [(u.correction, u.texts[0].headline) for u in only(world).updates] == [
        (True, "Only some tills are down"),
        (False, "Tills are down"),
    ]


def test_what_a_tool_called_it_is_never_the_public_title(world):
    say(world, opened(world), "x", author_id=PROGRAM.id, title="[FIRING] host-7", template_id="holding-statement")
    assert [one.title for one in publishing.gather(world.ctx).sent] == ["Holding statement"]


# --- the tree on disk


def read(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_tick_writes_the_tree_and_again_only_for_news(world, tmp_path):
    folder = tmp_path / "www" / "status"
    incident = opened(world)
    say(world, incident, "Down")
    ticking.tick(world.ctx)
    first = folder.readlink()
    assert json.loads((folder / "api/v2/incidents/unresolved.json").read_text())["incidents"][0]["name"] == "Down"
    assert (folder / "verify" / "CODE1" / "index.html").is_file()
    world.clock.pass_by(5)
    ticking.tick(world.ctx)
    assert folder.readlink() == first
    for n in range(4):
        world.clock.pass_by(60)
        say(world, incident, f"News {n}")
        assert status_tree.export(world.ctx, folder).changed
    assert not status_tree.export(world.ctx, folder).changed
    assert len(list(folder.parent.iterdir())) == 3  # the link, its tree, and the one before


def test_a_reader_never_sees_half_a_tree(world, tmp_path):
    """A reader resolves the link once, as an open folder does, and finds all files of one tree."""
    folder, seen, stop = tmp_path / "www" / "status", set(), threading.Event()
    incident = opened(world)
    say(world, incident, "Down 0")
    status_tree.export(world.ctx, folder)

    def look():
        while not stop.is_set():
            tree = folder.resolve()
            try:
                name = json.loads((tree / "api/v2/summary.json").read_text())["incidents"][0]["name"]
                feed = ET.parse(tree / "history.atom").getroot()
            except FileNotFoundError:
                assert not tree.exists()  # two trees on since, not half a one
                continue
            assert name in feed.findtext("{*}entry/{*}title")
            seen.add(name)

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(1, 6):
        world.clock.pass_by(60)
        say(world, incident, f"Down {n}")
        status_tree.export(world.ctx, folder)
    stop.set()
    reader.join()
    assert f"Down {5}" in seen | {json.loads((folder / "api/v2/summary.json").read_text())["incidents"][0]["name"]}


def test_a_write_that_fails_leaves_the_tree_as_it_was(world, tmp_path, monkeypatch):
    folder = tmp_path / "www" / "status"
    incident = opened(world)
    say(world, incident, "Down")
    status_tree.export(world.ctx, folder)
    before = read(folder)
    world.clock.pass_by(60)
    say(world, incident, "News")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        status_tree.export(world.ctx, folder)
    status_tree.publish_if_due(world.ctx, 0)  # as the tick does: told in the log, and everything else goes on
    assert read(folder) == before
    assert [p.name for p in folder.parent.iterdir() if "." in p.name[1:]] == []
    monkeypatch.undo()
    assert status_tree.export(world.ctx, folder).changed


def test_a_folder_of_somebody_elses_is_left_alone(world, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(Refused):
        status_tree.export(world.ctx, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    (tmp_path / "empty").mkdir()
    assert status_tree.export(world.ctx, tmp_path / "empty").changed
