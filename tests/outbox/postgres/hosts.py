"""Network namespaces as machines: collectors on one, workers on another, the database here. For root on Linux."""

import os
import subprocess

ADDRESS = "198.18.0.1"
"""Of the database, for both machines (https://www.rfc-editor.org/rfc/rfc2544: a range for tests of networks)."""
TRUSTED = "host all all 198.18.0.0/15 trust\n"
ROLES = ("collect", "deliver")


class Hosts:
    """`within` begins a command on the machine of a role; `cut` takes its cable away, without a word to anybody."""

    def __init__(self) -> None:
        assert os.geteuid() == 0, "network namespaces need root"
        self.names = {role: f"relay-{role}-{os.getpid()}" for role in ROLES}
        self.links = {role: f"rly{n}-{os.getpid()}" for n, role in enumerate(ROLES)}
        _ip("addr add {}/32 dev lo", ADDRESS)
        for number, role in enumerate(ROLES, 1):
            name, link = self.names[role], self.links[role]
            _ip("netns add {}", name)
            _ip("link add {} type veth peer name eth0 netns {}", link, name)
            _ip("addr add {}/24 dev {}", f"198.18.{number}.1", link)
            _ip("link set {} up", link)
            _ip("-n {} addr add {}/24 dev eth0", name, f"198.18.{number}.2")
            _ip("-n {} link set eth0 up", name)
            _ip("-n {} link set lo up", name)
            _ip("-n {} route add default via {}", name, f"198.18.{number}.1")

    def within(self, role: str) -> list[str]:
        return ["ip", "netns", "exec", self.names[role]]

    def cut(self, role: str) -> None:
        _ip("link set {} down", self.links[role])

    def heal(self, role: str) -> None:
        _ip("link set {} up", self.links[role])

    def remove(self) -> None:
        for name in self.names.values():
            _ip("netns del {}", name)
        _ip("addr del {}/32 dev lo", ADDRESS)


def _ip(command: str, *values: str) -> None:
    subprocess.run(["ip", *command.format(*values).split()], check=True)
