"""`tidegate watch BUFFER`: what a buffer directory holds. Reads only, needs no lock, hides nothing.

Works on a directory an agent is writing, on a card that came back, and on a damaged one: what
cannot be read is said, file by file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.buffer import cursor as slots
from gateway.buffer import payload
from gateway.buffer.segment import (
    BOOT,
    DATA,
    GAP,
    HEADER_BYTES,
    POINTS,
    TIME,
    VERSION,
    Entry,
    Walker,
    unpack_header,
)
from gateway.core.clock import BOUNDED, Clock
from gateway.core.decimal import Decimal
from gateway.core.errors import BadReply, ConfigError, LinkError
from gateway.core.reading import GOOD, RINGS, Gap, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gateway.core.clock import Anchor

OK, FINDINGS, NO_INPUT = 0, 1, 66
SCHEMA = "tidegate.watch/1"
FOLLOW_S = 0.5
_GAPS_SHOWN = 20

Item = tuple[int, int, Reading | Gap]  # number, boot, reading or gap


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("buffer", metavar="BUFFER", help="a buffer directory, in use or not")
    parser.add_argument("--ring", choices=RINGS, help="only this ring")
    parser.add_argument(
        *("--records", "-n"),
        type=_count,
        default=0,
        metavar="N",
        help="show the last N items as well",
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what is written")


def main(args: argparse.Namespace) -> int:
    """Show the buffer; 1 if it is damaged or numbers miss unexplained, 66 if it is no buffer."""
    root = Path(args.buffer)
    rings = [ring for ring in RINGS if (root / ring).is_dir()]
    if not rings or (args.ring and args.ring not in rings):
        print(f"tidegate: {root} is not a buffer: it has no folder crit or bulk", file=sys.stderr)
        return NO_INPUT
    views = [View(root / ring, ring) for ring in rings]
    for view in views:
        view.read(args.records)
    clock = Clock(0, sorted({anchor for view in views for anchor in view.anchors}, key=_when))
    gaps = [gap for view in views for gap in view.gaps]  # what bulk misses is noted in crit
    shown = [view for view in views if args.ring in (None, view.ring)]
    if args.json:
        print(json.dumps(_report(root, shown, gaps, clock, args.records)))
    else:
        _show(root, shown, gaps, clock, args.records)
    if args.follow:
        _follow(shown, args.json)
    return FINDINGS if any(_is_bad(view, gaps) for view in shown) else OK


class View:
    """One ring, as its files tell it."""

    def __init__(self, folder: Path, ring: str) -> None:
        self.ring = ring
        self.log_id = b""
        self.boots: list[int] = []
        self.anchors: set[Anchor] = set()
        self.cursor: int | None = None
        self.segments = self.spares = self.items = 0
        self.first: int | None = None
        self.next = 1
        self.gaps: list[Gap] = []
        self.missing: list[tuple[int, int]] = []
        self.latest: dict[str, Item] = {}
        self.tail: list[Item] = []
        self.units: dict[str, str] = {}
        self.problems: list[str] = []
        self._folder = folder
        self._names: dict[tuple[int, int], str] = {}
        self._place: tuple[int, int, int] | None = None  # (epoch, byte, number) where we stopped

    def read(self, keep: int) -> None:
        """Read all there is, and keep the last `keep` items."""
        self._read_cursor()
        self.spares = len(list(self._folder.glob("spare-*.sgl")))
        for item in self.new():
            self.items += 1
            if isinstance(item[2], Reading):
                self.latest[item[2].point] = item
            if keep:
                self.tail = [*self.tail[1 - keep :], item] if keep > 1 else [item]

    def new(self) -> Iterator[Item]:
        """Yield what was written since the last call."""
        for epoch, path, size, first_seq in self._headers():
            if self._place is not None and epoch < self._place[0]:
                continue
            walker = Walker(_reader(path), epoch, first_seq, size)
            if self._place is not None and epoch == self._place[0]:
                _, walker.at, walker.seq = self._place
            elif self.first is None:
                self.first = self.next = first_seq
            while True:
                entry = walker.next()
                if entry is None:
                    break
                yield from self._take(entry)
            self._place = epoch, walker.at, walker.seq

    def _headers(self) -> list[tuple[int, Path, int, int]]:
        found = []
        for path in sorted(self._folder.glob("s-*.sgl")):
            data = _reader(path)(0, HEADER_BYTES)
            header = unpack_header(data)
            if header is None:
                self._problem(f"{path.name}: damaged header, {len(data)} bytes")
                digits = path.stem[2:]
                if digits.isdigit():
                    found.append((int(digits), path, path.stat().st_size, 0))
                continue
            if header.version != VERSION:
                self._problem(f"{path.name}: version {header.version}, this reads {VERSION}")
                continue
            if path.stat().st_size != header.size_bytes:
                self._problem(
                    f"{path.name}: {path.stat().st_size} bytes, should be {header.size_bytes}"
                )
            found.append((header.epoch, path, header.size_bytes, header.first_seq))
        self.segments = len(found)
        return sorted(found)

    def _take(self, entry: Entry) -> Iterator[Item]:
        if self.first == 0:
            self.first = self.next = entry.seq  # the header was damaged and did not say
        if entry.seq > self.next:
            self.missing.append((self.next, entry.seq - 1))
        elif entry.count and entry.seq < self.next:
            return  # a copy of a record whose sync failed
        self.next = max(self.next, entry.seq + entry.count)
        try:
            yield from self._decode(entry)
        except BadReply as error:
            self._problem(f"record of number {entry.seq}: {error}")

    def _decode(self, entry: Entry) -> Iterator[Item]:
        if entry.kind == BOOT:
            boot = payload.unpack_boot(entry.payload)
            self.log_id = boot.log_id
            if boot.boot not in self.boots:
                self.boots.append(boot.boot)
        elif entry.kind == TIME:
            self.anchors.add(payload.unpack_time(entry.payload))
        elif entry.kind == POINTS:
            number_boot, rows = payload.unpack_points(entry.payload)
            for number, name, unit in rows:
                self._names[number_boot, number] = name
                self.units[name] = unit
        elif entry.kind == GAP:
            gap_boot, gap, again, _ = payload.unpack_gap(entry.payload)
            if not again:
                self.gaps.append(gap)
            yield entry.seq, gap_boot, gap
        elif entry.kind == DATA:
            data_boot, readings = payload.unpack_data(entry.payload)
            for place, (at_ms, number, value, quality) in enumerate(readings):
                name = self._names.get((data_boot, number), f"unknown/{number}")
                yield entry.seq + place, data_boot, Reading(name, value, at_ms, quality)

    def _read_cursor(self) -> None:
        path = self._folder / "cursor"
        data = path.read_bytes() if path.exists() else b""
        slot = slots.latest([data, data[slots.SLOT_BYTES :]])
        if slot is None:
            self._problem("cursor: no valid slot")
        else:
            self.cursor, self.log_id = slot.acked, slot.log_id

    def _problem(self, what: str) -> None:
        text = f"{self.ring}/{what}"
        if text not in self.problems:
            self.problems.append(text)


def _reader(path: Path) -> Any:
    def read(at: int, size: int) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(at)
                return file.read(size)
        except PermissionError as error:
            raise ConfigError(f"{path}: {error.strerror}")
        except FileNotFoundError:  # recycled under our eyes
            return b""
        except OSError as error:
            raise LinkError(f"{path}: {error.strerror}")

    return read


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no count")
    return int(text)


def _is_bad(view: View, gaps: list[Gap]) -> bool:
    unexplained = [missing for missing in view.missing if not _explained(gaps, view, *missing)]
    return bool(view.problems or unexplained)


def _explained(gaps: list[Gap], view: View, first: int, last: int) -> str:
    for gap in gaps:
        if gap.ring == view.ring and gap.first <= first and last <= gap.last:
            return gap.reason
    return ""


def _report(
    root: Path, views: list[View], gaps: list[Gap], clock: Clock, keep: int
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "buffer": str(root),
        "rings": {view.ring: _ring(view, gaps, clock, keep) for view in views},
        "problems": [problem for view in views for problem in view.problems],
    }


def _ring(view: View, gaps: list[Gap], clock: Clock, keep: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "log": view.log_id.hex(),
        "first": view.first,
        "last": view.next - 1,
        "confirmed": view.cursor,
        "items": view.items,
        "segments": view.segments,
        "spares": view.spares,
        "boots": view.boots,
        "gaps": [_line(0, 0, gap, clock, view)["gap"] for gap in view.gaps],
        "missing": [
            {"first": first, "last": last, "noted": _explained(gaps, view, first, last)}
            for first, last in view.missing
        ],
        "points": {name: _line(*item, clock, view) for name, item in sorted(view.latest.items())},
    }
    if keep:
        found["records"] = [_line(*item, clock, view) for item in view.tail]
    return found


def _line(seq: int, boot: int, item: Reading | Gap, clock: Clock, view: View) -> dict[str, Any]:
    if isinstance(item, Gap):
        names = ("ring", "first", "last", "count", "reason")
        return {"seq": seq, "boot": boot, "gap": {name: getattr(item, name) for name in names}}
    value = item.value
    if isinstance(value, Decimal):
        value = str(value)
    elif isinstance(value, bytes):
        value = value.hex()
    found = {"seq": seq, "boot": boot, "at_ms": item.at_ms, "point": item.point, "value": value}
    found["unit"] = view.units.get(item.point, "")
    found["quality"] = item.quality
    stamp = clock.wall(boot, item.at_ms)
    if stamp.quality != BOUNDED:
        found["wall_ms"] = stamp.low_ms
    return found


def _show(root: Path, views: list[View], gaps: list[Gap], clock: Clock, keep: int) -> None:
    print(f"buffer {root}")
    for view in views:
        waiting = "?" if view.cursor is None else max(view.next - 1 - view.cursor, 0)
        print(
            f"\n{view.ring}: log {view.log_id.hex() or '?'}, boots {_span(view.boots)},"
            f" numbers {view.first or 0}..{view.next - 1},"
            f" confirmed to {'?' if view.cursor is None else view.cursor}, waiting {waiting},"
            f" {view.segments} segments and {view.spares} spare"
        )
        for name, item in sorted(view.latest.items()):
            print(f"  {name:<32} {_text(item, clock, view)}")
        for gap in view.gaps[-_GAPS_SHOWN:]:
            print(f"  gap   {gap.ring} {gap.first}..{gap.last}: {gap.count} {gap.reason}")
        if len(view.gaps) > _GAPS_SHOWN:
            print(f"  and {len(view.gaps) - _GAPS_SHOWN} gaps before")
        for first, last in view.missing:
            why = _explained(gaps, view, first, last)
            print(f"  missing {first}..{last}: {f'noted as {why}' if why else 'not noted yet'}")
        for item in view.tail[-keep:] if keep else []:
            print(_item_line(item, clock, view))
    for problem in [problem for view in views for problem in view.problems]:
        print(f"damaged: {problem}")


def _item_line(item: Item, clock: Clock, view: View) -> str:
    seq, _, what = item
    if isinstance(what, Gap):
        return f"  {seq:>10} gap {what.ring} {what.first}..{what.last}: {what.count} {what.reason}"
    return f"  {seq:>10} {what.point:<32} {_text(item, clock, view)}"


def _text(item: Item, clock: Clock, view: View) -> str:
    line = _line(*item, clock, view)
    if "wall_ms" in line:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(line["wall_ms"] // 1000))
        when = f"{stamp}.{line['wall_ms'] % 1000:03}Z"
    else:
        when = f"boot {line['boot']} + {line['at_ms'] / 1000:.3f} s"
    value = "-" if line["value"] is None else line["value"]
    quality = "" if line["quality"] == GOOD else f"  {line['quality']}"
    shown = f"{value} {line['unit']}".strip()
    return f"{shown:<20} {when}{quality}"


def _span(boots: list[int]) -> str:
    return "none" if not boots else f"{min(boots)}..{max(boots)}"


def _when(anchor: Anchor) -> tuple[int, int]:
    return anchor.boot, anchor.at_ms


def _follow(views: list[View], as_json: bool) -> None:
    while True:
        for view in views:
            for item in view.new():
                # Anchors may have come meanwhile, of this ring or of the other one.
                known = sorted({anchor for one in views for anchor in one.anchors}, key=_when)
                clock = Clock(0, known)
                if as_json:
                    print(json.dumps({"ring": view.ring, **_line(*item, clock, view)}), flush=True)
                else:
                    print(f"{view.ring}{_item_line(item, clock, view)}", flush=True)
        time.sleep(FOLLOW_S)
