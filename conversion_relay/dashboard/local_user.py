"""Whose program it is that calls from this machine, as the kernel's table of connections says.

What could go wrong. A proxy on this machine calls from loopback, like a program of the operator's, and nothing in its
request must tell it: nginx from 1.29.7 on asks by HTTP/1.1 with `Host: 127.0.0.1:8000` and adds no header, HAProxy and
every tunnel pass on the Host that the visitor wrote. But it runs as a user of its own (www-data, haproxy, nobody).

The rule. Each connection of this machine stands in the table twice, once for each end, with the user who opened that
end. Another user than ours and root is somebody else's. Where there is no such table (not Linux), or it does not know
our own end, nobody is told apart. https://docs.kernel.org/networking/proc_net_tcp.html

Rejected: SO_PEERCRED, which only sockets of files have; the table by netlink, which our systemd unit does not allow.
"""

import ipaddress
import os
import sys
from pathlib import Path

TABLES = Path("/proc/self/net")
"""Not /proc/net: with ProcSubset=pid it is hidden."""
MOST_BYTES = 8 * 1_048_576
"""Some fifty thousand connections."""
MOST_OF_A_LINE, USER = 300, 7
End = tuple[str, int]


def is_anothers(client: End, server: End, tables: Path = TABLES) -> bool:
    """Whether the client's end belongs to somebody else's program: of another user, or of none that this machine knows
    though it knows the server's end."""
    found = _user_of(client, server, tables)
    if found is None:
        return _user_of(server, client, tables) is not None
    return found not in (0, os.geteuid())


def _user_of(own: End, other: End, tables: Path) -> int | None:
    """Of the socket at this end."""
    for name, ends in _spellings(own, other):
        try:
            with (tables / name).open("rb") as file:
                table = file.read(MOST_BYTES)
        except OSError:
            continue
        if (at := table.find(b": %s %s 01 " % ends)) >= 0:  # 01: the connection is established
            return int(table[at : at + MOST_OF_A_LINE].split()[USER])
    return None


def _spellings(own: End, other: End) -> list[tuple[str, tuple[bytes, bytes]]]:
    """The table and both ends as it writes them. An IPv4 connection may be one of an IPv6 socket."""
    try:
        pairs = [(ipaddress.ip_address(host), port) for host, port in (own, other)]
    except ValueError:
        return []
    plain = [(getattr(address, "ipv4_mapped", None) or address, port) for address, port in pairs]
    if any(address.version == 6 for address, _ in plain):
        return [("tcp6", _written(pairs))]
    mapped = [(ipaddress.ip_address(f"::ffff:{address}"), port) for address, port in plain]
    return [("tcp", _written(plain)), ("tcp6", _written(mapped))]


def _written(ends: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]) -> tuple[bytes, bytes]:
    """Words of 32 bits as this machine orders them, in hexadecimal, then the port."""

    def written(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bytes:
        packed = address.packed
        words = [packed[n : n + 4] for n in range(0, len(packed), 4)]
        ordered = (word[::-1] if sys.byteorder == "little" else word for word in words)
        return b"%s:%04X" % (b"".join(ordered).hex().upper().encode(), port)

    one, other = (written(*end) for end in ends)
    return one, other
