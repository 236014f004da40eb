"""Everybody of an audience once, in pages, with who may not be written to: alike as one statement and page by page."""

from dispatcher.ledger import contacts, suppressions
from dispatcher.ledger.sparing import EVERYBODY, Sparing
from dispatcher.model.kinds import Channel
from tests.services.world import World

SCOPES = ("all", "promotional")


def seen(rows):
    return [(row.rid, row.email, bool(row.no_email), bool(row.no_phone)) for row in rows]


def test_everybody_comes_once_and_in_order_however_the_pages_are_cut(tmp_path, database_url):
    world = World(tmp_path, database_url)
    world.audience(2_500, no_email={7})
    world.audience(3, version=2)
    with world.ctx.ledger.write() as tx:
        wanted = [
            suppressions.Wanted(Channel.EMAIL, "p1@example.com", "all", "bounce"),
            suppressions.Wanted(Channel.EMAIL, "p1@example.com", "promotional", "unsubscribe"),
            suppressions.Wanted(Channel.SMS, "+447700900002", "promotional", "unsubscribe"),
        ]
        suppressions.add(tx, wanted, source="test", by=None, now=0)
        tx.change('UPDATE recipient SET fields = \'{"consent":"yes"}\' WHERE rid = 3')
    agreed = Sparing(consent="consent", most=3, mode="drill")
    with world.ctx.ledger.read() as tx:
        for scopes, sparing in ((SCOPES[:1], EVERYBODY), (SCOPES, EVERYBODY), (SCOPES, agreed)):
            whole = [row for page in contacts.pages(tx, 1, scopes, sparing) for row in page]
            cut, after = [], 0
            while page := contacts.page(tx, 1, scopes, sparing, after=after, most=999):
                cut, after = [*cut, *page], page[-1].rid
            assert seen(whole) == seen(cut)
            assert [row.rid for row in whole] == list(range(1, 2_501))
            reached = [row.rid for row in whole[:3] if not row.no_email]
            assert reached == ([3] if sparing is agreed else [2, 3])
            assert bool(whole[1].no_phone) is (scopes is SCOPES)
            assert whole[6].email is None
    world.ctx.ledger.close()
