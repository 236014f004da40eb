"""What every verb is handed: the parts of the house, joined once by `bootstrap`."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dispatcher.compose.catalogue import Catalogue
from dispatcher.doorbell import Doorbell
from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import Clock
from dispatcher.model.kinds import Channel
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
    provider: Provider
    settings: ProviderSettings

    @property
    def is_loopback(self) -> bool:
        """Whether every call of this account stays on this machine."""
        return is_loopback(self.settings.base_url)


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Context:
    """Built after a fork, one per process."""

    settings: Settings
    ledger: Ledger
    ledger_id: str
    clock: Clock
    accounts: Mapping[str, Account]
    catalogue: Catalogue
    doorbell: Doorbell
    limits: Limits
    concurrency: Concurrency
    wire: Wire
    host: str
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose settings are wrong, with the reason: shown by doctor, refused by check."""

    def on(self, channel: Channel) -> list[Account]:
        """The usable accounts of a channel, in the order of the settings."""
        return [account for account in self.accounts.values() if account.channel is channel]
