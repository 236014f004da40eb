"""People of ours around one broadcast: a real draft of a shipped template, for tests of who says yes to what."""

from pathlib import Path

from dispatcher.ledger import people
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Level, Person, Role
from dispatcher.services import approval, drafting, facts
from tests.services.world import World

HOUR = 3_600


class Desk(World):
    """A world with an audience of five, an account for mail, and one of us for each role."""

    def __init__(self, tmp_path, url="", **settings):
        super().__init__(tmp_path, url, **settings)
        self.mail = self.add_account("mail", Channel.EMAIL)
        self.ana = self.person("Ana", Role.AUTHOR)
        self.ben = self.person("Ben", Role.APPROVER, level=Level.DIRECTOR)
        self.cat = self.person("Cat", Role.APPROVER, level=Level.COMMS)
        self.olu = self.person("Olu", Role.OPERATOR)
        self.listed("customers", 5)

    def person(self, name, *roles, level=Level.COMMS, email=""):
        made = Person(0, name, roles=frozenset(roles), level=level, email=email)
        with self.ctx.ledger.write() as tx:
            return people.add(tx, made, to_ms(self.clock.now()))

    def listed(self, name, count, *, number=1, fields="{}", names=()):
        """An audience of that name; its version is 900 + number for the first name."""
        with self.ctx.ledger.write() as tx:
            found = tx.scalar("SELECT id FROM audience WHERE name = :n", n=name)
            audience = found or tx.scalar("INSERT INTO audience (name, created_at) VALUES (:n, 1) RETURNING id", n=name)
            version = tx.scalar(
                "INSERT INTO audience_version"
                " (audience_id, number, size, content_hash, fields, source, region, created_at)"
                " VALUES (:a, :number, :size, 'x', :fields, 'x', '', 1) RETURNING id",
                a=audience, number=number, size=count, fields=str(list(names)).replace("'", '"'),
            )  # fmt: skip
            rows = [(version, i, f"p{i}@example.com", None, "en", fields) for i in range(1, count + 1)]
            tx.insert("recipient", ("version_id", "rid", "email", "phone", "locale", "fields"), rows)
        return version

    def known(self, template, **more):
        """Example facts of a template, with some of a test's own."""
        own = {(name, None): value for name, value in more.items()}
        return facts.read_file(Path(self.ctx.catalogue.get(template).origin) / "example.toml") | own

    def draft(self, template="apology", *, severity=Severity.CRITICAL, mode=Mode.LIVE, audience="customers", **more):
        wanted = drafting.Draft(
            template, audience=audience, channels=[Channel.EMAIL], severity=severity, mode=mode,
            facts=self.known(template, **more.pop("facts", {})), **more,
        )  # fmt: skip
        return drafting.draft(self.ctx, self.ana, wanted)

    def submitted(self, template="apology", **more):
        made = self.draft(template, **more)
        return approval.submit(self.ctx, self.ana, made.ref)

    def acts(self, made):
        with self.ctx.ledger.read() as tx:
            rows = tx.all("SELECT verb, detail FROM act WHERE broadcast_id = :b ORDER BY id", b=made.id)
        return [(row.verb, row.detail) for row in rows]
