"""Where a call of ours may go that somebody's settings caused: the public Internet, and networks that are named.

Loopback, private, link-local (the metadata services of clouds), shared and reserved addresses are refused unless a
named network holds them. An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64, Teredo) is judged for what it is.
"""

import ipaddress
from collections.abc import Callable, Iterable
from functools import partial

from dispatcher.settings.public import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOW = 0xFFFFFFFF
_INSIDE = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20")))
"""What counts as global in some versions of Python and is not: protocol assignments (a cloud's metadata among them),
the old relays of 6to4, site-local and documentation addresses."""


def reach(networks: Iterable[Network], *, loopback_only: bool = False) -> Callable[[str], bool]:
    """Whether an address may be connected to. `loopback_only` (a drill) narrows it and opens nothing."""
    return partial(_may_go, tuple(networks), loopback_only)


def _may_go(networks: tuple[Network, ...], loopback_only: bool, written: str) -> bool:
    try:
        address = ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(address)
    if loopback_only and not inner.is_loopback:
        return False
    named = any(inner in network for network in networks if network.version == inner.version)
    if any(inner in network for network in _INSIDE if network.version == inner.version):
        return named
    return named or (inner.is_global and not inner.is_multicast and not inner.is_reserved)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _LOW)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None) or address
