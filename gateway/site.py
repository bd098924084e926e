"""What a site file says, as plain values. Reading one is the business of `site_cpython`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

AUTO = "auto"


class Platform(Record):
    """Where and how to deliver: `url` mqtt[s]://host:port; files are paths or "".

    `deflate` is "true", "false" or AUTO: once the platform shows that it can inflate. `rate` limits
    the backlog to bytes/s (0 = not), and snapshot and health are published every `announce_ms`.
    """

    __slots__ = (
        "announce_ms",
        "ca",
        "cert",
        "deflate",
        "key",
        "password_file",
        "protocol",
        "rate",
        "url",
        "username",
    )

    def __init__(
        self,
        url: str,
        protocol: str = "5",
        ca: str = "",
        cert: str = "",
        key: str = "",
        username: str = "",
        password_file: str = "",
        deflate: str = AUTO,
        rate: int = 0,
        announce_ms: int = 60_000,
    ) -> None:
        self.url = url
        self.deflate = deflate
        self.rate = rate
        self.announce_ms = announce_ms
        self.protocol = protocol
        self.ca = ca
        self.cert = cert
        self.key = key
        self.username = username
        self.password_file = password_file


class Storage(Record):
    """Where the buffer lies, how large its rings are, how long bulk readings wait for a commit."""

    __slots__ = ("bulk_bytes", "commit_ms", "crit_bytes", "path")

    def __init__(self, path: str, crit_bytes: int, bulk_bytes: int, commit_ms: int) -> None:
        self.path = path
        self.crit_bytes = crit_bytes
        self.bulk_bytes = bulk_bytes
        self.commit_ms = commit_ms


class Device(Record):
    """One device on a bus: its profile by name, unit (None: the profile's), the site's choices.

    `every_ms` 0 keeps the profile's periods; `alarm` lists channels for the crit ring; `pin` is
    the hexadecimal profile digest the site insists on, or "". `line` holds what it overrides of
    the profile's `timeout_ms`, `pause_ms` and `retries`; `max` 0 keeps the profile's.
    """

    __slots__ = (
        "alarm",
        "every_ms",
        "line",
        "max",
        "name",
        "pin",
        "profile",
        "settings",
        "unit",
    )

    def __init__(
        self,
        name: str,
        profile: str,
        unit: int | None,
        every_ms: int,
        settings: dict[str, Any],
        alarm: list[str],
        pin: str,
        line: dict[str, Any] | None = None,
        max_: int = 0,
    ) -> None:
        self.name = name
        self.profile = profile
        self.unit = unit
        self.every_ms = every_ms
        self.settings = settings
        self.alarm = alarm
        self.pin = pin
        self.line = line or {}
        self.max = max_


class Bus(Record):
    """One port and what hangs on it. `line` holds what the site overrides of the profiles' line.

    `rs485` is None, or how the port's RTS line switches the direction: `rts_high` while it sends,
    `before_ms` and `after_ms` around what it sends. `window` 0: the site names none.
    """

    __slots__ = ("devices", "framing", "line", "name", "port", "rs485", "window")

    def __init__(
        self,
        name: str,
        port: str,
        framing: str,
        line: dict[str, Any],
        devices: list[Device],
        rs485: dict[str, Any] | None = None,
        window: int = 0,
    ) -> None:
        self.name = name
        self.port = port
        self.framing = framing
        self.line = line
        self.devices = devices
        self.rs485 = rs485
        self.window = window


class Site(Record):
    """One gateway: its identity, platform, storage, clock and buses.

    `clock` is "ntp" (believe the kernel's word only) or "system" (believe the system clock).
    `profiles` are folders searched before the shipped one.
    """

    __slots__ = ("buses", "clock", "gateway", "platform", "profiles", "storage")

    def __init__(
        self,
        gateway: str,
        platform: Platform,
        storage: Storage,
        clock: str,
        profiles: list[str],
        buses: list[Bus],
    ) -> None:
        self.gateway = gateway
        self.platform = platform
        self.storage = storage
        self.clock = clock
        self.profiles = profiles
        self.buses = buses
