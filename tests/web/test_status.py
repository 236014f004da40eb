"""The public tree over a real socket: what was released is shown, in the reader's language, and nothing else."""

import json

import pytest

from dispatcher.ledger import documents, incidents
from dispatcher.model.clock import to_ms
from dispatcher.model.template import Document
from tests.services.world import World

HOSTILE = "Tills \\<script\\>alert(1)\\</script\\> <img src=x onerror=alert(2)> [go](javascript:alert(3))"


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, port=0, public_url="https://alerts.example.com")
    world.add_account("mail", "email")
    world.audience(3)
    yield world
    world.ctx.ledger.close()


def published(world, *, mode="live", purpose="service", visibility="public", after=0, words=HOSTILE):
    now = to_ms(world.clock.now())
    values = {"title": "internal-host-7 down", "severity": "major", "phase": "investigating", "visibility": visibility}
    made = world.broadcast(["email"], {"email": ["mail"]}, mode=mode)
    with world.ctx.ledger.write() as tx:
        number = incidents.add(tx, {**values, "mode": mode, "opened_by": 1, "opened_at": now})
        tx.change(
            "UPDATE broadcast SET incident_id = :i, purpose = :p, submitted_at = :now, title = 'Draft 7 of Ana',"
            " code = :code WHERE id = :b", i=number, p=purpose, now=now, b=made, code=f"BCD23F{made}",
        )  # fmt: skip
        page = Document("page", "en", "", "md", f"# Orders stopped\n\n{words}")
        french = Document("page", "fr", "", "md", "# Commandes arrêtées\n\nNous cherchons.")
        documents.replace(tx, made, [page, french])
    world.release(made, after=after)
    return f"INC-{number}"


def summary(site):
    code, headers, said = site.ask("GET", "/status/api/v2/summary.json")
    assert code == 200
    assert headers["access-control-allow-origin"] == "*"
    return json.loads(said)


def test_what_was_released_is_shown_and_nothing_internal(serve, world):
    ref = published(world)
    site = serve(world.ctx)
    (told,) = summary(site)["incidents"]
    assert (told["id"], told["name"], told["status"], told["impact"]) == (
        ref,
        "Orders stopped",
        "investigating",
        "major",
    )
    code, headers, page = site.ask("GET", "/status/")
    assert code == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"Orders stopped" in page
    whole = page + json.dumps(told).encode() + site.ask("GET", f"/status/incidents/{ref}.html")[2]
    whole += site.ask("GET", "/status/history.atom")[2] + site.ask("GET", "/status/history.rss")[2]
    for word in (b"internal-host", b"Draft 7", b"Ana", b"p1@"):
        assert word not in whole
    for shown in (page, site.ask("GET", f"/status/incidents/{ref}.html")[2]):
        assert b"<script" not in shown
        assert b"<img" not in shown
        assert b'href="javascript' not in shown


@pytest.mark.parametrize(
    "hidden",
    [{"mode": "drill"}, {"visibility": "internal"}, {"visibility": "private"}, {"purpose": "staff"},
     {"purpose": "promotional"}, {"after": 600}],
    ids=str,
)  # fmt: skip
def test_what_is_not_public_is_nowhere(serve, world, hidden):
    ref = published(world, **hidden)
    site = serve(world.ctx)
    assert summary(site)["incidents"] == []
    assert summary(site)["status"]["indicator"] == "none"
    assert site.ask("GET", f"/status/incidents/{ref}.html")[0] == 404
    assert b"Orders stopped" not in site.ask("GET", "/status/")[2]


def test_the_reader_gets_a_language_of_theirs(serve, world):
    ref = published(world)
    site = serve(world.ctx)

    def page(path, accepted):
        code, headers, said = site.ask("GET", path, headers={"Accept-Language": accepted})
        assert code == 200
        assert headers["vary"] == "Accept-Language"
        return said.decode()

    assert '<html lang="fr" dir="ltr">' in page("/status/", "fr-CA, en;q=0.5")
    assert "Commandes arrêtées" in page(f"/status/incidents/{ref}.html", "fr")
    arabic = page("/status/", "ar")
    assert '<html lang="ar" dir="rtl">' in arabic
    assert '<div lang="en" dir="ltr">' in arabic
    assert '<html lang="en"' in page("/status/", "xx, *;q=0.1, \x7f;q=nan")
    assert '<html lang="en"' in page("/status/index.en.html", "fr")
    assert '<html lang="fr"' in site.ask("GET", "/verify", headers={"Accept-Language": "fr"})[2].decode()


def test_a_reader_who_has_it_is_told_so_and_a_head_has_no_body(serve, world):
    published(world)
    site = serve(world.ctx)
    code, headers, said = site.ask("GET", "/status/api/v2/components.json")
    assert headers["cache-control"].startswith("public")
    assert (
        site.ask("GET", "/status/api/v2/components.json", headers={"If-None-Match": f'"x", W/{headers["etag"]}'})[0]
        == 304
    )
    code, head, body = site.ask("HEAD", "/status/api/v2/components.json")
    assert (code, body, head["content-length"]) == (200, b"", str(len(said)))
    assert site.ask("GET", "/status")[0] == 308


@pytest.mark.parametrize("path", ["nowhere", "..%2f..%2fetc%2fpasswd", "%00", "incidents/", "a" * 3000])
def test_no_other_address_leads_anywhere(serve, world, path):
    code, _, said = serve(world.ctx).ask("GET", f"/status/{path}")
    assert code == 404
    assert b"There is no such page" in said


def test_the_last_tree_stays_when_the_ledger_is_gone(serve, world, monkeypatch):
    from dispatcher.web import status

    monkeypatch.setattr(status, "FRESH_SECONDS", 0.0)
    published(world)
    site = serve(world.ctx)
    assert len(summary(site)["incidents"]) == 1
    with world.ctx.ledger.write() as tx:
        tx.change("ALTER TABLE incident RENAME TO incident_gone")
    assert len(summary(site)["incidents"]) == 1
