"""What was frozen is read without the template that it came from; a draft is not, for it has no words yet."""

import shutil

import pytest

from dispatcher import resources
from dispatcher.errors import TemplateError
from dispatcher.ledger import people
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Person, Role
from dispatcher.services import checking, incidents, previewing, promises
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk
from tests.services.promise_world import opened, say
from tests.services.test_novelty import IDLE, out
from tests.services.world import World


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "templates" / "messages").mkdir(parents=True)
    made = Desk(tmp_path, templates_dir=str(tmp_path / "templates"), **{"organisation.domain": "example.com"})
    yield made
    made.ctx.ledger.close()


def test_words_are_previewed_although_their_template_was_broken_since(desk, tmp_path):
    frozen = desk.submitted("apology", severity=Severity.MINOR)
    draft = desk.draft("apology", severity=Severity.MINOR)
    before = previewing.preview(desk.ctx, frozen.ref)
    own = tmp_path / "templates" / "messages" / "apology"
    own.mkdir()
    (own / "template.toml").write_text("id = [")
    assert previewing.preview(desk.ctx, frozen.ref) == before != []
    with pytest.raises(TemplateError):
        previewing.preview(desk.ctx, draft.ref)


def test_a_word_whose_template_was_broken_since_holds_up_no_other_and_counts_once_it_is_mended(tmp_path):
    own = tmp_path / "templates" / "messages" / "ours"
    shutil.copytree(resources.shipped("templates") / "messages" / "outage-update", own)
    path = own / "template.toml"
    words = path.read_text().replace('id = "outage-update"', 'id = "ours"')
    path.write_text("id = [")
    world = World(tmp_path, templates_dir=str(tmp_path / "templates"))
    world.add_account("m", Channel.EMAIL)
    world.audience(2)
    with world.ctx.ledger.write() as tx:
        ana = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), to_ms(world.clock.now()))
    for _ in range(2):
        opened(world, ana)
    say(world, template="ours", incident=1)
    say(world, incident=2)
    said = [incidents.show(world.ctx, f"INC-{n}").incident.first_word_at for n in (1, 2)]
    assert said == [None, world.clock.now()]
    told = world.clock.now()
    world.clock.pass_by(600)
    path.write_text(words)
    promises.hear(world.ctx, to_ms(world.clock.now()))
    assert incidents.show(world.ctx, "INC-1").incident.first_word_at == told
    world.ctx.ledger.close()


def test_a_check_looks_past_earlier_words_whose_template_was_broken_since(tmp_path):
    own = tmp_path / "templates" / "messages" / "outage-update"
    own.parent.mkdir(parents=True)
    told = {"templates_dir": str(tmp_path / "templates"), "organisation.verify_url": "https://example.com/verify"}
    desk = Desk(tmp_path, **told)
    incidents.open_incident(desk.ctx, desk.ana, Opening("Orders stopped", Severity.MINOR, mode=Mode.LIVE))
    for words in IDLE[:2]:
        out(desk, words)
    made = desk.draft("third-party-outage", incident="INC-1", severity=Severity.MINOR)
    own.mkdir()
    (own / "template.toml").write_text("id = [")
    assert checking.check(desk.ctx, made.ref).audience_size == 5
    desk.ctx.ledger.close()
