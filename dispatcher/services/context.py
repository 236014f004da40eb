"""What every verb is handed: the parts of the house, joined once by `bootstrap`."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import Clock
from dispatcher.model.kinds import Channel

if TYPE_CHECKING:
    from dispatcher.compose.catalogue import Catalogue
    from dispatcher.doorbell import Doorbell
    from dispatcher.policy.concurrency import Concurrency
    from dispatcher.policy.limits import Limits
    from dispatcher.provider import Provider, ProviderSettings
    from dispatcher.settings import Settings
    from dispatcher.wire import Wire


@dataclass(frozen=True, slots=True)
class Account:
    """Our credentials at a vendor, ready to use."""

    name: str
    kind: str
    channel: Channel
    provider: "Provider"
    settings: "ProviderSettings"

    @property
    def is_loopback(self) -> bool:
        """Whether every call of this account stays on this machine."""
        return is_loopback(self.settings.base_url)


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Context:
    """Built after a fork, one per process; for a command that only looks, its heavy parts are joined at first use."""

    settings: "Settings"
    ledger: Ledger
    ledger_id: str
    clock: Clock
    accounts: Mapping[str, Account]
    catalogue: "Catalogue"
    doorbell: "Doorbell"
    limits: "Limits"
    concurrency: "Concurrency"
    wire: "Wire"
    host: str
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose settings are wrong, with the reason: shown by doctor, refused by check."""

    @classmethod
    def looking(
        cls, ledger: Ledger, clock: Clock, addresses: Mapping[str, str], join: Callable[[Ledger], Self]
    ) -> Self:
        """One with an open ledger and a clock. `join` makes the whole as soon as any other part is asked for;
        `addresses` are those that the settings give to accounts."""
        found = object.__new__(cls)
        vars(found).update(ledger=ledger, clock=clock, _addresses=addresses, _join=join)
        return found

    if not TYPE_CHECKING:  # a slip in a part's name is still found by the checker

        def __getattr__(self, name: str) -> Any:
            """Asked only for what is not there yet."""
            join = None if name.startswith("_") else vars(self).get("_join")
            if join is None:
                raise AttributeError(f"a context has no {name}")
            vars(self).update(vars(join(self.ledger)), clock=self.clock, _join=None)
            return getattr(self, name)

    def on(self, channel: Channel) -> list[Account]:
        """The usable accounts of a channel, in the order of the settings."""
        return [account for account in self.accounts.values() if account.channel is channel]

    def stays_here(self, account: str) -> bool:
        """Whether an account leads to this machine, which only an address in its settings can make it do."""
        if "accounts" not in vars(self) and "_addresses" in vars(self):
            return is_loopback(vars(self)["_addresses"].get(account, ""))
        return account in self.accounts and self.accounts[account].is_loopback
