"""What `profile try` shows: bytes beside values, what looks wrong, and tests to paste.

Turns a Look into text or plain data; asks nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from drivers.profile.image import BIT_TABLES, HOLDING, Image
from drivers.profile.text import Text
from gateway.core.decimal import Decimal
from gateway.core.reading import GOOD
from gateway.core.record import Record
from tools.profile.causes import plausible, variants
from tools.profile.causes.diagnose import first, shown
from tools.profile.causes.variants import ADDRESS, ORDER, Variant, decoded, type_name

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.slot import Place
    from tools.profile.causes.doubt import Doubt
    from tools.profile.live.look import Exchange, Look

BYTES_MAX = 16  # of one value shown; longer texts are cut
HEX_WIDTH = 96  # characters of a frame in a line


class Row(Record):
    """One channel as it was found: `value` in the profile's unit, or `why` there is none."""

    __slots__ = ("data", "doubt", "place", "raw", "value", "why")

    def __init__(
        self, place: Place, data: bytes | None, raw: Any, value: Any, why: str, doubt: str
    ) -> None:
        self.place = place
        self.data = data
        self.raw = raw
        self.value = value
        self.why = why
        self.doubt = doubt


def rows(look: Look) -> list[Row]:
    """Return every readable channel as the look found it, in the profile's order."""
    device, image = look.device, look.image
    known = decoded(device, image)
    doubts = {doubt.place.id: doubt.verdict.reason for doubt in look.doubts}
    found = []
    for places in variants.alternatives(device):
        for place in places:
            if not place.channel.readable or place.applies(known, device.settings) is False:
                continue
            found.append(_row(look, place, known, doubts.get(place.id, "")))
            break
    return found


def _row(look: Look, place: Place, known: dict[str, Any], doubt: str) -> Row:
    value = known.get(place.id)
    if place.address is None:
        return Row(place, None, None, value, "" if value is not None else "no value", doubt)
    channel = place.channel
    data = channel.layout.take(look.image, channel.table, place.address)
    if data is None:
        why = look.image.why(channel.table, place.address, channel.count)
        return Row(place, None, None, None, why or "not read", doubt)
    raw, quality = place.channel.layout.value(data)
    if value is None and quality == GOOD:
        _, quality = place.outcome(data, known, look.device.settings, {})
    return Row(place, data, raw, value, "" if value is not None else quality, doubt)


def table(look: Look, base: int, units: dict[str, str]) -> str:
    """Return the frames, and under each the channels that its bytes hold."""
    left = rows(look)
    lines = []
    for exchange in look.exchanges:
        lines += _frames(exchange)
        inside = [row for row in left if exchange.tells(row.place)]
        left = [row for row in left if row not in inside]
        lines += [*_columns(inside, base, units), ""]
    for title, found in (
        ("computed", [row for row in left if row.place.address is None]),
        ("did not come", [row for row in left if row.place.address is not None]),
    ):
        if found:
            lines += [title, *_columns(found, base, units), ""]
    return "\n".join(lines)


def doubts_text(look: Look, base: int, units: dict[str, str]) -> str:
    """Return each value that looks wrong, and the ways to read it, the plausible one marked."""
    lines = []
    for doubt in look.doubts:
        unit = units.get(doubt.place.id, "")
        lines.append(f"? {doubt.place.id} {_told(doubt.verdict, unit)}: {doubt.verdict.reason}")
        lines += [_choice(doubt, variant, base, unit) for variant in _choices(doubt)]
        if doubt.best is None:
            lines.append("    no other reading looks better: is the device what the profile says?")
    return "\n".join(lines)


def frames(look: Look, note: str) -> str:
    """Return tests to paste into the profile: each exchange and what it gives."""
    lines = ["tests:", f"  # captured {note}"]
    for exchange in look.exchanges:
        gives = _gives(look, [exchange])
        if not exchange.why and gives:
            lines += _test([exchange], gives)
    whole = [one for one in look.exchanges if not one.why]
    alone = {name for one in whole for name in _gives(look, [one])}
    rest = {name: value for name, value in _gives(look, whole).items() if name not in alone}
    if rest:
        lines += _test(whole, rest)
    return "\n".join(lines) + "\n"


def document(look: Look, base: int, units: dict[str, str]) -> dict[str, Any]:
    """Return the look as plain data, for machines."""
    return {
        "identified": look.device.identify(decoded(look.device, look.image)),
        "exchanges": [
            {
                "request": one.sent.hex() if one.sent else None,
                "answer": one.received.hex() if one.received else None,
                "why": one.why,
            }
            for one in look.exchanges
        ],
        "channels": [_row_document(row, base, units) for row in rows(look)],
        "doubts": [_doubt_document(doubt, base) for doubt in look.doubts],
    }


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    return float(value) if isinstance(value, Decimal) else value


def _frames(exchange: Exchange) -> list[str]:
    lines = [exchange.title]
    for arrow, frame in (("→", exchange.sent), ("←", exchange.received)):
        if frame:
            lines += _wrapped(arrow, _shown_frame(frame, exchange.text))
    return lines + ([f"  {exchange.why}"] if exchange.why else [])


def _shown_frame(frame: bytes, text: bool) -> str:
    return repr(frame.decode("latin-1")) if text else frame.hex(" ").upper()


def _wrapped(arrow: str, text: str) -> list[str]:
    parts = [text[at : at + HEX_WIDTH] for at in range(0, len(text), HEX_WIDTH)]
    return [f"  {arrow if at == 0 else ' '} {part.strip()}" for at, part in enumerate(parts)]


def _columns(found: list[Row], base: int, units: dict[str, str]) -> list[str]:
    cells = [_cells(row, base, units) for row in found]
    widths = [max((len(row[at]) for row in cells), default=0) for at in range(5)]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*padded, row[5]]).rstrip())
    return lines


def _cells(row: Row, base: int, units: dict[str, str]) -> list[str]:
    place = row.place
    where = data = raw = ""
    if place.address is not None:
        where = _where(place, base)
        layout = place.channel.layout
        raw = type_name(layout) + (f" {layout.order}" if layout.order != "ABCD" else "")
        raw += "" if row.raw is None else f" {shown(row.raw)}"
        data = _shown_bytes(row) if row.data else ""
    unit = units.get(place.id, "")
    told = row.value if isinstance(row.value, str) else shown(row.value)
    value = f"{told} {unit}".strip() if row.value is not None else f"– {row.why}"
    mark = "?" if row.doubt else " "
    return [f"{mark} {place.id}", where, data, raw, value, row.doubt]


def _where(place: Place, base: int) -> str:
    address = (place.address or 0) + first(place.channel.table, base)
    last = address + place.channel.count - 1
    return f"{address}" if last == address else f"{address}..{last}"


def _shown_bytes(row: Row) -> str:
    data = row.data or b""
    if not isinstance(row.place.channel.layout, Text):
        return _grouped(data)
    text = data.decode("latin-1")
    return text[:BYTES_MAX] + ("…" if len(text) > BYTES_MAX else "")


def _grouped(data: bytes) -> str:
    text = data[:BYTES_MAX].hex(" ", 2).upper()
    return text + (" …" if len(data) > BYTES_MAX else "")


def _choices(doubt: Doubt) -> list[Variant]:
    """Return the readings worth showing: every word order, each neighbour, and the best."""
    own = Variant()
    judged = [one.variant for one in doubt.readings]
    kinds = ((), (ORDER,), (ADDRESS,))
    found = [one for kind in kinds for one in [own, *judged] if one.kinds == kind and one in judged]
    best = doubt.best
    if best and best.variant not in found:
        found.append(best.variant)
    return list(dict.fromkeys(found))


def _choice(doubt: Doubt, variant: Variant, base: int, unit: str) -> str:
    reading = next(one for one in doubt.readings if one.variant == variant)
    channel = variant.of(doubt.channel)
    at = (channel.at or 0) + first(channel.table, base)
    own = doubt.place.channel is doubt.channel
    parts = [f"at: {at}" if own else f"{doubt.channel.id} at: {at}"]
    if channel.at is None:
        parts = ["computed"]
    elif channel.table not in BIT_TABLES:
        parts.append(channel.layout.order)
    if variant.name:
        parts.append(f"type: {variant.name}")
    if variant.power:
        parts.append(f"scale: {channel.scale}")
    value = _told(reading.verdict, unit) if reading.verdict else "not read"
    marks = []
    if doubt.best and doubt.best.variant == variant:
        marks.append("← plausible")
    if not variant.kinds:
        marks.append("(as the profile says)")
    return f"    {' '.join(parts)} → {value}  {' '.join(marks)}".rstrip()


def _told(verdict: plausible.Verdict, unit: str) -> str:
    return f"{shown(verdict.value)} {unit}".strip() if verdict.value is not None else "no value"


def _gives(look: Look, exchanges: list[Exchange]) -> dict[str, Any]:
    image = Image()
    for one in exchanges:
        if not one.why:
            one.put(image)
    found = decoded(look.device, image)
    return {name: value for name, value in found.items() if value is not None}


def _test(exchanges: list[Exchange], gives: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    sent = [_frame_text(one.sent, one.text) for one in exchanges if one.sent]
    received = [_frame_text(one.received, one.text) for one in exchanges]
    for name, found in (("sent:", sent), ("received:", received)):
        head = "    " if lines else "  - "
        if len(found) == 1:
            lines.append(f"{head}{name} {found[0]}")
        elif found:
            lines += [f"{head}{name}", *(f"      - {one}" for one in found)]
    return [*lines, "    gives:", *(f"      {name}: {_yaml(gives[name])}" for name in gives)]


def _frame_text(frame: bytes, text: bool) -> str:
    # In quotes: digits alone would be a number in YAML.
    return json.dumps(frame.decode() if text else frame.hex(" ").upper())


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return shown(value)


def _row_document(row: Row, base: int, units: dict[str, str]) -> dict[str, Any]:
    place = row.place
    table = place.channel.table if place.address is not None else None
    at = None if place.address is None else place.address + first(table or HOLDING, base)
    return {
        "channel": place.id,
        "in": table,
        "at": at,
        "bytes": row.data.hex() if row.data else None,
        "raw": plain(row.raw),
        "value": plain(row.value),
        "unit": units.get(place.id, ""),
        "why": row.why,
        "doubt": row.doubt,
    }


def _doubt_document(doubt: Doubt, base: int) -> dict[str, Any]:
    best = doubt.best
    return {
        "channel": doubt.place.id,
        "definition": doubt.channel.id,
        "why": doubt.verdict.reason,
        "remedy": best.variant.told(doubt.channel, first(doubt.channel.table, base))
        if best
        else "",
        "value": plain(best.verdict.value) if best and best.verdict else None,
    }
