"""Two network namespaces and a cable between them: a gateway in one, its broker in the other.

The cable can be pulled, slowed down and made half-open as a dead radio link is: what the gateway
sends arrives, and nothing comes back. Needs root; knows no process and no protocol.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.missing import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

GATEWAY, PLATFORM = "gateway", "platform"
# A range for documentation (RFC 5737): it is routed nowhere, should a rule ever leak.
ADDRESSES = {GATEWAY: "192.0.2.2", PLATFORM: "192.0.2.1"}
OTHER_ADDRESS = "192.0.2.77"  # of the gateway, after a new lease
_CLONE_NEWNET = 0x40000000  # setns(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


class Net:
    """The two namespaces; `with Net() as net` makes and removes them, or skips the test."""

    def __init__(self) -> None:
        self._names = {side: f"tidegate-{side}-{os.getpid()}" for side in ADDRESSES}
        self.gateway_address = ADDRESSES[GATEWAY]
        self.platform_address = ADDRESSES[PLATFORM]

    def __enter__(self) -> Net:
        if os.geteuid() != 0:
            pytest.skip("network namespaces need root")
        if shutil.which("ip") is None:
            missing("ip", "apt-get install iproute2")
        try:
            self._make()
        except subprocess.CalledProcessError as error:
            self.__exit__()
            pytest.skip(f"the kernel refuses `{' '.join(error.cmd)}`: {error.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names.values():  # their ends of the cable go with them
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "del", name)
            shutil.rmtree(_etc(name), ignore_errors=True)

    def name(self, side: str) -> str:
        """Return the name of a namespace, for `ip netns exec`."""
        return self._names[side]

    @contextlib.contextmanager
    def inside(self, side: str) -> Iterator[None]:
        """Within it, what this thread starts or connects is on that side."""
        with Path("/proc/self/ns/net").open() as home:
            with Path(f"/run/netns/{self._names[side]}").open() as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def half_open(self) -> None:
        """From now on the gateway's packets arrive, and no answer finds its way back."""
        self._at(PLATFORM, "route", "replace", "blackhole", f"{self.gateway_address}/32")

    def heal(self) -> None:
        """End `half_open`."""
        self._at(PLATFORM, "route", "del", "blackhole", f"{self.gateway_address}/32")

    def plug(self) -> None:
        """Put the gateway's cable in."""
        self._at(GATEWAY, "link", "set", "eth0", "up")

    def unplug(self) -> None:
        """Pull the gateway's cable out."""
        self._at(GATEWAY, "link", "set", "eth0", "down")

    def renumber(self, address: str = OTHER_ADDRESS) -> None:
        """Give the gateway another address, as a new lease does: the old one is gone."""
        self._at(GATEWAY, "addr", "flush", "dev", "eth0")
        self._at(GATEWAY, "addr", "add", f"{address}/24", "dev", "eth0")
        self.gateway_address = address

    def slow(self, bits_per_s: int, queue_bytes: int = 8_000) -> None:
        """Let no more pass either way; skips the test where the kernel has no tbf."""
        pace = ["rate", f"{bits_per_s}bit", "burst", "1600", "limit", str(queue_bytes)]
        for side in ADDRESSES:
            inside = ["ip", "netns", "exec", self._names[side]]
            try:
                _run(*inside, "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", *pace)
            except subprocess.CalledProcessError as error:
                pytest.skip(f"the kernel refuses `tc … tbf`: {error.stderr.strip()}")

    def fast(self) -> None:
        """End `slow`."""
        for side in ADDRESSES:
            inside = ["ip", "netns", "exec", self._names[side]]
            _run(*inside, "tc", "qdisc", "del", "dev", "eth0", "root")

    def resolver(self, **lines: str) -> None:
        """Write files (`hosts`, `resolv_conf`) that `ip netns exec` shows to the gateway as /etc's.

        They are bound when a process starts, and may be written again while it runs.
        """
        folder = _etc(self._names[GATEWAY])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in lines.items():
            (folder / name.replace("_", ".")).write_text(text)

    def _make(self) -> None:
        for side in ADDRESSES:
            _run("ip", "netns", "add", self._names[side])
            self._at(side, "link", "set", "lo", "up")
        gateway, platform = self._names[GATEWAY], self._names[PLATFORM]
        far_end = ["type", "veth", "peer", "name", "eth0", "netns", platform]
        _run("ip", "link", "add", "eth0", "netns", gateway, *far_end)
        for side, address in ADDRESSES.items():
            self._at(side, "addr", "add", f"{address}/24", "dev", "eth0")
            self._at(side, "link", "set", "eth0", "up")

    def _at(self, side: str, *words: str) -> None:
        _run("ip", "-n", self._names[side], *words)


def _etc(name: str) -> Path:
    return Path("/etc/netns") / name


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=10)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
