"""A site file (YAML) to a Site: every problem in one run, with line and column.

Knows the file's grammar; does not know which profiles exist or whether a port does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from gateway.core.duration import milliseconds
from gateway.core.source_cpython import LIST, MAP, SCALAR, Node, only, read_source
from gateway.site import AUTO, Bus, Device, Platform, Site, Storage

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from gateway.core.duration import milliseconds
    from gateway.core.report_cpython import Report

MIB = 1 << 20
DEVICES_MAX = 247  # unit addresses of one Modbus line
BUFFER = "buffer:"  # its place among `places`; no device can be called that
GATEWAY = "gateway:"  # likewise
BUSES_MAX = 32
_STORAGE = Storage("/var/lib/tidegate/buffer", 32 * MIB, 512 * MIB, 10_000)
_UNITS_BYTES = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
# SenML names (RFC 8428 §4.5.1) and MQTT topic levels, less what shells and URLs stumble over.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PORT = re.compile(r"/dev/\S+|(rtu\+)?tcp://[^\s/:]+(:\d{1,5})?|/\S+")
_URL = re.compile(r"mqtts?://[^\s/]+")
_PIN = re.compile(r"[0-9a-f]{16}")

_SITE = ("gateway", "platform", "buffer", "clock", "profiles", "buses")
_ANNOUNCE_MS = 60_000
_PLATFORM = (
    *("url", "protocol", "ca", "cert", "key", "username", "password_file"),
    *("deflate", "rate", "announce"),
)
_BUFFER = ("path", "crit", "bulk", "commit")
_BUS = (
    *("port", "framing", "baud", "parity", "data", "stop", "timeout", "pause", "retries"),
    *("rs485", "window", "devices"),
)
REGISTERS_MAX = 125  # of one request (Modbus V1.1b3 §6.3)
RETRIES_MAX = 5  # each may cost a whole time-out, in which nobody else on the line is asked
WAIT_MAX_MS = 60_000  # likewise
_RS485 = ("rts", "before", "after")
RTS_DELAY_MAX_MS = 100  # Linux makes longer ones 100 ms
WINDOW_MAX = 16  # transactions in flight (Modbus Messaging on TCP/IP V1.0b §4.3.2)
_DEVICE = (
    *("profile", "unit", "every", "settings", "alarm", "pin"),
    *("timeout", "pause", "retries", "max"),
)


class SiteFile:
    """A site file read: `site` (None if it has errors), `report`, and `places` of its names."""

    def __init__(self, path: Path) -> None:
        source = read_source(path)
        self.report = source.report
        self.places: dict[str, Node] = {}
        self.site: Site | None = None
        if source.root is None and self.report.errors == 0:
            self.report.add("E110", Node(MAP, 1, 1, 1), "the file is empty")
        if source.root is not None and self.report.errors == 0:
            site = _Reader(self.report, self.places).site(source.root)
            self.site = site if self.report.errors == 0 else None


class _Reader:
    def __init__(self, report: Report, places: dict[str, Node]) -> None:
        self._report = report
        self._places = places

    def site(self, root: Node) -> Site:
        found = self._map(root, _SITE, "the site file")
        self._places[BUFFER] = root
        self._places[GATEWAY] = found.get("gateway", root)
        for name in ("gateway", "platform", "buses"):
            if name not in found:
                self._bad(root, f"'{name}:' is missing", "E110")
        return Site(
            self._text(found.get("gateway"), _NAME, "a gateway id such as 330482-0017", ""),
            self._platform(found.get("platform")),
            self._storage(found.get("buffer")),
            self._choice(found.get("clock"), ("ntp", "system"), "ntp"),
            self._texts(found.get("profiles"), "a folder"),
            self._buses(found.get("buses")),
        )

    def _platform(self, node: Node | None) -> Platform:
        hint = "mqtt://host:port or mqtts://host:port"
        if node is None or node.kind == SCALAR:
            return Platform(self._text(node, _URL, hint, ""))
        found = self._map(node, _PLATFORM, "platform")
        if "url" not in found:
            self._bad(node, "'url:' is missing", "E110")
        files = {
            name: self._file(found.get(name)) for name in ("ca", "cert", "key", "password_file")
        }
        return Platform(
            self._text(found.get("url"), _URL, hint, ""),
            self._choice(found.get("protocol"), ("5", "3.1.1"), "5"),
            username=self._text(found.get("username"), None, "a name", ""),
            deflate=self._choice(found.get("deflate"), ("auto", "true", "false"), AUTO),
            rate=self._size(found.get("rate"), 0),
            announce_ms=self._duration(found.get("announce"), _ANNOUNCE_MS),
            **files,
        )

    def _storage(self, node: Node | None) -> Storage:
        if node is None:
            return _STORAGE
        found = self._map(node, _BUFFER, "buffer")
        self._places[BUFFER] = found.get("bulk", node)
        return Storage(
            os.path.expandvars(self._text(found.get("path"), None, "a folder", _STORAGE.path)),
            self._size(found.get("crit"), _STORAGE.crit_bytes),
            self._size(found.get("bulk"), _STORAGE.bulk_bytes),
            self._duration(found.get("commit"), _STORAGE.commit_ms),
        )

    def _buses(self, node: Node | None) -> list[Bus]:
        if node is None:
            return []
        if node.kind != MAP or not node.pairs:
            self._bad(node, f"buses must map names to ports and devices, not {node.shown}")
            return []
        if len(node.pairs) > BUSES_MAX:
            self._bad(node, f"{len(node.pairs)} buses are more than the {BUSES_MAX} allowed")
        return [self._bus(key, value) for key, value in node.pairs]

    def _bus(self, key: Node, node: Node) -> Bus:
        found = self._map(node, _BUS, f"bus {key.shown}")
        self._places[key.text] = key
        if "port" not in found:
            self._bad(key, f"bus {key.shown} has no 'port:'", "E110")
        port = self._text(
            found.get("port"), _PORT, "a device path, tcp://host:port or rtu+tcp://host:port", ""
        )
        default = "tcp" if port.startswith("tcp://") else "rtu"
        line: dict[str, Any] = {}
        for name in ("baud", "data", "stop"):
            if name in found:
                line[name] = self._integer(found[name], 1, 4_000_000)
        if "parity" in found:
            line["parity"] = self._choice(found["parity"], ("none", "even", "odd"), "none")
        line.update(self._waits(found))
        framing = self._choice(found.get("framing"), ("rtu", "ascii", "tcp"), default)
        window = self._integer(found["window"], 1, WINDOW_MAX) if "window" in found else 0
        if window and framing != "tcp":
            self._bad(found["window"], "only Modbus TCP tells replies apart: 'window' is for it")
        return Bus(
            self._text(key, _NAME, "a name of letters, digits, - _ .", ""),
            port,
            framing,
            line,
            self._devices(key, found.get("devices")),
            self._rs485(found["rs485"], "://" in port) if "rs485" in found else None,
            window,
        )

    def _rs485(self, node: Node, remote: bool) -> dict[str, Any]:
        found = self._map(node, _RS485, "rs485")
        if remote:
            self._bad(node, "'rs485' is for a serial port of this gateway")
        delays = {}
        for name in ("before", "after"):
            delays[f"{name}_ms"] = self._duration(found.get(name), 0)
            if delays[f"{name}_ms"] > RTS_DELAY_MAX_MS:
                self._bad(found[name], f"expected at most {RTS_DELAY_MAX_MS}ms")
        rts = self._choice(found.get("rts"), ("high", "low"), "high")
        return {"rts_high": rts == "high", **delays}

    def _devices(self, bus: Node, node: Node | None) -> list[Device]:
        if node is None or node.kind != MAP or not node.pairs:
            self._bad(node or bus, f"bus {bus.shown} has no devices", "E110")
            return []
        if len(node.pairs) > DEVICES_MAX:
            self._bad(node, f"{len(node.pairs)} devices are more than the {DEVICES_MAX} of a line")
        devices = [self._device(key, value) for key, value in node.pairs]
        for (key, _), device in zip(node.pairs, devices, strict=True):
            if device.name in self._places:
                line = self._places[device.name].line
                self._bad(key, f"device {key.shown} stands twice (line {line})")
            self._places[device.name] = key
        return devices

    def _device(self, key: Node, node: Node) -> Device:
        found = self._map(node, _DEVICE, f"device {key.shown}")
        if "profile" not in found:
            self._bad(key, f"device {key.shown} has no 'profile:'", "E110")
        settings = found.get("settings")
        values = {}
        if settings is not None and settings.kind != MAP:
            self._bad(settings, f"settings must map names to values, not {settings.shown}")
        elif settings is not None:
            values = {one.text: value.value for one, value in settings.pairs}
        return Device(
            self._text(key, _NAME, "a name of letters, digits, - _ .", ""),
            self._text(found.get("profile"), None, "maker/model", ""),
            self._integer(found["unit"], 1, 255) if "unit" in found else None,
            self._duration(found.get("every"), 0),
            values,
            self._texts(found.get("alarm"), "a channel"),
            self._text(found.get("pin"), _PIN, "sixteen hexadecimal digits", ""),
            self._waits(found),
            self._integer(found["max"], 1, REGISTERS_MAX) if "max" in found else 0,
        )

    def _waits(self, found: dict[str, Node]) -> dict[str, Any]:
        """What a bus or a device says of waiting and trying again."""
        line: dict[str, Any] = {}
        for name in ("timeout", "pause"):
            if name in found:
                line[f"{name}_ms"] = self._duration(found[name], 0)
                if line[f"{name}_ms"] > WAIT_MAX_MS:
                    self._bad(found[name], f"expected at most 1m, not {found[name].shown}")
        if line.get("timeout_ms") == 0:
            self._bad(found["timeout"], "a time-out of nothing lets nobody answer")
        if "retries" in found:
            line["retries"] = self._integer(found["retries"], 0, RETRIES_MAX)
        return line

    def _map(self, node: Node, known: tuple[str, ...], what: str) -> dict[str, Node]:
        if node.kind != MAP:
            self._bad(node, f"{what} must be keys and values, not {node.shown}")
            return {}
        return only(node, known, what, self._report)

    def _text(
        self, node: Node | None, pattern: re.Pattern[str] | None, wanted: str, default: str
    ) -> str:
        if node is None:
            return default
        if node.kind != SCALAR or not node.text or (pattern and not pattern.fullmatch(node.text)):
            self._bad(node, f"expected {wanted}, not {node.shown}")
            return default
        return node.text

    def _texts(self, node: Node | None, wanted: str) -> list[str]:
        if node is None:
            return []
        if node.kind != LIST:
            return [self._text(node, None, wanted, "")]
        return [self._text(item, None, wanted, "") for item in node.items]

    def _file(self, node: Node | None) -> str:
        path = os.path.expandvars(self._text(node, None, "a file", ""))
        # Only a warning: systemd may put credentials there just before the agent starts.
        if node is not None and path and not os.path.exists(path):
            self._report.add("W112", node, f"there is no file {path} now")
        return path

    def _choice(self, node: Node | None, words: tuple[str, ...], default: str) -> str:
        if node is not None and node.text not in words:
            self._bad(node, f"expected {' or '.join(words)}, not {node.shown}")
        return node.text if node is not None and node.text in words else default

    def _integer(self, node: Node, low: int, high: int) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._bad(node, f"expected a whole number {low}..{high}, not {node.shown}")
            return low
        return value

    def _duration(self, node: Node | None, default: int) -> int:
        if node is None:
            return default
        try:
            return milliseconds(node.text)
        except ValueError:
            self._bad(node, f"expected a time such as 500ms, 10s, 5m or 1h, not {node.shown}")
            return default

    def _size(self, node: Node | None, default: int) -> int:
        if node is None:
            return default
        found = re.fullmatch(r"([0-9]{1,9})([A-Za-z]+)", node.text)
        if found is None or found[2] not in _UNITS_BYTES:
            self._bad(node, f"expected a size such as 64MiB, not {node.shown}")
            return default
        return int(found[1]) * _UNITS_BYTES[found[2]]

    def _bad(self, node: Node, message: str, code: str = "E111") -> None:
        self._report.add(code, node, message)
