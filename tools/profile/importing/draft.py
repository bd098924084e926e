"""What an importer understood of one device: channels, bus, origin, and what it could not carry.

Knows ids and the bounds of a profile; knows no source's format and no YAML.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.profile.address_cpython import FIRST, REFERENCE
from drivers.profile.decode import split_type, words
from drivers.profile.expr import RESERVED
from drivers.profile.folded import CHANNELS_MAX
from drivers.profile.image import BIT_TABLES
from drivers.profile.names_cpython import ID_MAX
from drivers.profile.sound import ADDRESS_MAX
from drivers.profile.vocabulary_cpython import id_of

if TYPE_CHECKING:
    from typing import Any

TEXT_MAX = 200  # characters of a title or remark; a source may hold whole paragraphs
_TEXTS = ("unit", "title", "help", "map")  # what people read: other keys speak our grammar
_SPLIT = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z][a-z0-9])(?=[A-Z])")
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)


@dataclass(slots=True)
class Loss:
    """Something of the source that is not in the draft; `whole`: no channel stands for it."""

    line: int
    what: str
    reason: str
    whole: bool = True
    file: str = ""  # where it stands, if not in the draft's one source


@dataclass(slots=True)
class Entry:
    """One channel, or a group with `inner` channels: keys of the grammar with their values.

    A value is a text, a whole number, a Decimal, true, or a list or map of them.
    """

    id: str
    keys: dict[str, Any]
    line: int = 0
    inner: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """A profile without tests. `bus` holds keys of the bus `section`, `settings` their rows."""

    source: str
    name: str = ""
    maker: str = ""
    models: list[str] = field(default_factory=list)
    docs: str = ""
    kind: str = ""
    every: str = ""
    identify: str = ""
    section: str = "modbus"
    bus: dict[str, Any] = field(default_factory=dict)
    settings: list[Entry] = field(default_factory=list)
    channels: list[Entry] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    origin: list[str] = field(default_factory=list)
    hexadecimal: bool = False  # write addresses as 0x…, as the source does
    columns: dict[str, str] = field(default_factory=dict)  # a heading: what it was taken for
    _taken: set[str] = field(default_factory=set)

    def add(self, name: str, keys: dict[str, Any], line: int) -> Entry:
        """Append a channel under an id made of `name` that nothing else has; return it.

        What is more than a profile may hold is not appended, but noted as lost.
        """
        told = {key: _readable(one) if key in _TEXTS else one for key, one in keys.items()}
        kept = {key: one for key, one in told.items() if one not in ("", {}, [])}
        reason = self._refusal(kept)
        if reason:
            self.lose(line, name, reason)
            return Entry("", kept, line)
        entry = Entry(self.free_id(name), kept, line)
        self.channels.append(entry)
        self._taken.add(entry.id)
        return entry

    def line(self, baud: int | None, parity: str, data: str, stop: str) -> None:
        """Note the serial line: what is standard or no legal setting stays unsaid."""
        word = {"e": "even", "o": "odd"}.get(parity[:1].lower(), "")
        if baud and baud != 9600 and 300 <= baud <= 1_000_000:
            self.bus["baud"] = baud
        if word:
            self.bus["parity"] = word
        if data == "7":
            self.bus["data"] = 7
        if stop == "2":
            self.bus["stop"] = 2

    def _refusal(self, keys: dict[str, Any]) -> str:
        if len(self.channels) >= CHANNELS_MAX:
            return f"a profile holds at most {CHANNELS_MAX} channels"
        at, table = keys.get("at"), keys.get("in", "holding")
        if self.section != "modbus" or not isinstance(at, int):
            return ""
        first = FIRST[table] if self.bus.get("base") == REFERENCE else 0
        span = 1 if table in BIT_TABLES else words(*split_type(keys.get("type", "u16")))
        if not 0 <= at - first <= ADDRESS_MAX + 1 - span:
            return f"register {at} is beyond the last, {ADDRESS_MAX}"
        return ""

    def lose(self, line: int, what: str, reason: str, whole: bool = True, file: str = "") -> None:
        """Note what could not be carried."""
        shown = one_line(what)[:80] or "an item without a name"
        self.losses.append(Loss(line, shown, reason, whole, file or self.source))

    def free_id(self, name: str) -> str:
        """Return an id made of `name`, with a number behind it if it is taken."""
        wanted = id_of(name) or identifier(name) or "value"
        found, number = wanted, 2
        while found in self._taken:
            tail = f"_{number}"
            found = wanted[: ID_MAX - len(tail)] + tail
            number += 1
        return found


def identifier(name: str) -> str:
    """Return a legal channel id made of a name's Latin letters and digits, "" if it has none."""
    text = unicodedata.normalize("NFKD", name.translate(_UMLAUTS))
    text = "".join(char for char in text if not unicodedata.combining(char) and char not in "'’")
    text = _CAMEL.sub("_", text)
    found = "_".join(part for part in _SPLIT.split(text.lower()) if part)
    if found[:1].isdigit():
        found = f"n{found}"
    if len(found) > ID_MAX:
        found = found[:ID_MAX].rsplit("_", 1)[0] if "_" in found[1:ID_MAX] else found[:ID_MAX]
    return f"{found}_value" if found in RESERVED else found


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        words = {key: _readable(one) for key, one in value.items()}
        return {key: str(key) if one == "" else one for key, one in words.items()}
    return one_line(value) if isinstance(value, str) else value


def one_line(text: str) -> str:
    """Return a text fit for a title, a remark or a comment: printable, short, in one line."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= TEXT_MAX else shown[: TEXT_MAX - 1] + "…"
