"""Runs a command in a network of its own that has a loopback and no way out, and tells whether anything tried to leave.

Started by `unshare`. A packet for elsewhere finds no route there, and the kernel counts it.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

_SIOCSIFFLAGS, _UP, _RUNNING = 0x8914, 0x1, 0x40  # linux/sockios.h, net/if.h


def loopback_up():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _UP | _RUNNING))


def without_route():
    """How often the kernel was asked for a way that does not exist, by IPv4 and IPv6."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    four = int(values[names.index("OutNoRoutes")])
    six = [line.split() for line in Path("/proc/net/snmp6").read_text().splitlines()]
    return four + sum(int(value) for name, value in six if name == "Ip6OutNoRoutes")


def main():
    loopback_up()
    before = without_route()
    done = subprocess.run(sys.argv[2:], capture_output=True, text=True, timeout=150)
    told = {"code": done.returncode, "out": done.stdout, "err": done.stderr, "left": without_route() - before}
    Path(sys.argv[1]).write_text(json.dumps(told))


main()
