"""The page behind the code that every message carries."""

import re

import pytest

from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    world = World(tmp_path, database_url, port=0)
    world.add_account("mail", "email")
    world.audience(3)
    yield world
    world.ctx.ledger.close()


def _sent(world, *, mode="live", after=0):
    made = world.broadcast(["email"], {"email": ["mail"]}, mode=mode)
    world.release(made, after=after)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE broadcast SET code = 'BCD23FG', title = 'Tills <down>' WHERE id = :b", b=made)
    return made


def test_a_sent_message_is_owned_up_to_without_naming_anybody(serve, world):
    _sent(world)
    code, headers, said = serve(world.ctx).ask("GET", "/verify/bcd-23%20fg")
    assert code == 200
    assert headers["content-type"].startswith("text/html")
    assert b"Yes, we sent this" in said
    assert b"1 March 2026, 12:00 UTC by email" in said
    assert b"Tills &lt;down&gt;" in said
    assert set(re.findall(rb"[\w.]+@[\w.]+", said)) == {b"help@example.com"}


def test_an_exercise_is_called_one(serve, world):
    _sent(world, mode="drill")
    assert b"exercise" in serve(world.ctx).ask("GET", "/verify?code=BCD23FG")[2]


@pytest.mark.parametrize(
    "path", ["/verify/ZZZZZZZ", "/verify/%00", "/verify/1", "/verify/" + "B" * 200, "/verify/%25%27"]
)
def test_what_we_did_not_send_looks_all_the_same(serve, world, path):
    _sent(world)
    code, _, said = serve(world.ctx).ask("GET", path)
    assert code == 404
    assert b"We did not send this" in said


def test_what_has_not_gone_out_yet_is_not_told(serve, world):
    _sent(world, after=600)
    assert serve(world.ctx).ask("GET", "/verify/BCD23FG")[0] == 404


def test_without_a_code_the_page_asks_for_one(serve, world):
    code, _, said = serve(world.ctx).ask("GET", "/verify")
    assert code == 200
    assert b'name="code"' in said
