"""A person we write to. In bulk recipients live as rows in the ledger; this is one of them, looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatcher.model.kinds import Channel


@dataclass(frozen=True, slots=True)
class Recipient:
    """`addresses` are canonical; `fields` are the raw further columns of the import, by field name.

    `rid` numbers the recipients of one audience version from 1 in the order of the file.
    """

    rid: int
    addresses: Mapping[Channel, str] = field(default_factory=dict)
    name: str = ""
    first_name: str = ""
    locale: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def address(self, channel: Channel) -> str | None:
        """Where this person is reached on a channel, None if nowhere."""
        return self.addresses.get(channel)

    def values(self) -> dict[str, str]:
        """What slots may show, by bare field name; empty values are left out so that a slot's default applies."""
        named = {"name": self.name, "first_name": self.first_name}
        return {key: value for key, value in {**self.fields, **named}.items() if value}
