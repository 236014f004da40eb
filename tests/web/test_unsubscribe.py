"""The link in a promotion's header, followed by a mail program, by a person and by somebody who guesses."""

import pytest

from dispatcher.services import unsubscribes
from tests.services.world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture
def world(tmp_path, database_url):
    world = World(tmp_path, database_url, port=0, public_url="https://alerts.example.com")
    world.add_account("mail", "email")
    world.audience(5)
    yield world
    world.ctx.ledger.close()


@pytest.fixture
def key(world):
    broadcast = world.broadcast(["email"], {"email": ["mail"]})
    return f"{world.ctx.ledger_id}.{broadcast}.2"


def suppressed(world):
    with world.ctx.ledger.read() as tx:
        rows = tx.all("SELECT address, scope, reason, source FROM suppression WHERE removed_at IS NULL")
        return [tuple(row) for row in rows]


def test_one_click_stops_promotions_to_this_person_only(serve, world, key):
    site = serve(world.ctx)
    path = f"/unsubscribe/{unsubscribes.signer(world.ctx)(key)}"
    for _ in range(2):
        code, headers, said = site.ask("POST", path, ONE_CLICK, FORM)
        assert code == 200
        assert b"unsubscribed" in said
    assert headers["content-type"].startswith("text/html")
    assert suppressed(world) == [("p3@example.com", "promotional", "unsubscribed", "one click")]


def test_looking_changes_nothing_and_tells_nothing(serve, world, key):
    site = serve(world.ctx)
    good, bad = f"/unsubscribe/{unsubscribes.signer(world.ctx)(key)}", "/unsubscribe/x.1.1.y"
    pages = [site.ask("GET", path) for path in (good, bad)]
    assert [code for code, _, _ in pages] == [200, 200]
    assert pages[0][2] == pages[1][2]
    assert b'<form method="post"><button type="submit">Unsubscribe</button></form>' in pages[0][2]
    assert suppressed(world) == []


def test_a_guessed_link_does_nothing(serve, world, key):
    site = serve(world.ctx)
    token = unsubscribes.signer(world.ctx)(key)
    signature = token.rpartition(".")[2]
    neighbour = key.rpartition(".")[0] + ".3"
    guesses = [key, f"{neighbour}.{signature}", f"{key}.{'a' * len(signature)}", f"{key}.", "x", "%00", "a" * 5000]
    for guess in [*guesses, f"{key}.{signature[:-1]}", f"{key}.é".encode().hex()]:
        code, _, said = site.ask("POST", f"/unsubscribe/{guess}", ONE_CLICK, FORM)
        assert code == 404, guess
        assert b"That did not work" in said
    assert suppressed(world) == []


def test_links_of_another_ledger_are_not_ours(serve, world, key, tmp_path):
    other = World(tmp_path / "other")
    foreign = unsubscribes.signer(other.ctx)(key)
    other.ctx.ledger.close()
    assert serve(world.ctx).ask("POST", f"/unsubscribe/{foreign}", ONE_CLICK, FORM)[0] == 404


def test_every_host_makes_the_same_links(world, key):
    assert unsubscribes.signer(world.ctx)(key) == unsubscribes.signer(world.ctx)(key)


def test_a_form_is_small(serve, world):
    assert serve(world.ctx).ask("POST", "/unsubscribe/x", b"x" * 5000, FORM)[0] == 413


def test_other_methods_are_refused(serve, world):
    code, headers, _ = serve(world.ctx).ask("PUT", "/unsubscribe/x", b"", FORM)
    assert code == 405
    assert set(headers["allow"].split(", ")) <= {"GET", "POST"}
