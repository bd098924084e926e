"""The page of one profile: what it is, what it measures, an example to the byte, its grade.

Knows what a reader of the documentation asks; knows neither Markdown nor HTML.
"""

from __future__ import annotations

import json
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drivers.profile import units_cpython
from drivers.profile.check_cpython import check_text
from drivers.profile.image import TABLES
from drivers.profile.vocabulary_cpython import title, translated
from gateway.core import cbor
from gateway.core.clock import SYNCED, Stamp
from gateway.core.decimal import Decimal
from gateway.core.reading import Reading
from gateway.uplink.pack import Packer
from tools.profile.given import Given
from tools.profile.proof import tester
from tools.profile.proof.grade import grade, written_titles
from tools.profile.telling import facts, page_bus, where
from tools.profile.telling.annotate import example
from tools.profile.telling.markup import Code, Heading, Page, Paragraph, Table, bold, code, link

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from drivers.profile.draft_cpython import Draft
    from drivers.profile.model import Channel
    from drivers.profile.vocabulary_cpython import Own
    from gateway.core.source_cpython import Node
    from tools.profile.proof.grade import Grade
    from tools.profile.telling.annotate import Example
    from tools.profile.telling.markup import Inline, Piece

HEADINGS = {"en": "English", "zh": "中文", "ja": "日本語"}
_FROM = {"manual": "the manual", "captured": "bytes of a real device", "none": "nothing yet"}
_PARTS_MAX = 24  # rows of an example; a battery answers with two hundred bytes
_RECORDS_MAX = 4  # of the sample, which shows the form
_WORDS_MAX = 12  # of a map
_GATEWAY, _DEVICE = "330482-0017", "device-1"
_WHEN_MS = 1_767_225_600_000  # 2026-01-01, so that a page says the same on any day
_LABELS = {
    -1: "bver",
    -2: "bn",
    -3: "bt",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    6: "t",
    8: "vd",
}


class Subject:
    """A profile with everything a page says of it; ConfigError if it has an error."""

    def __init__(self, name: str, text: str, file: str) -> None:
        self.name = name
        self.text = text
        self.checked = check_text(text, file)
        self.checked.report.require()
        self.given = Given(file, cbor.encode(self.checked.document), self.checked)
        self.document = self.given.document
        tester.run(self.checked)
        self.grade: Grade = grade(self.checked)

    def written(self, key: str) -> str:
        """Return a text of the profile's top level, "" if it has none."""
        node = self._node(key)
        return node.text if node else ""

    def listed(self, key: str) -> list[str]:
        """Return a list of texts of the profile's top level."""
        node = self._node(key)
        return [item.text for item in node.items] if node else []

    @property
    def title(self) -> str:
        return self.written("name")

    def visible(self) -> list[Draft]:
        """Return the channels that make readings or take commands, alternatives side by side."""
        return [one for one in self.checked.drafts if not one.row.get("hidden")]

    def _node(self, key: str) -> Node | None:
        return self.checked.root.get(key) if self.checked.root else None


def category(kind: str) -> str:
    """Return a device category as people write it."""
    shown = kind.replace("_", " ").capitalize() or "Other"
    return shown.replace("Pv ", "PV ")


def page(subject: Subject, languages: Sequence[str], source: str) -> Page:
    """Return the page of a profile; `source` is where its file is, as seen from the page."""
    made = Page(subject.title)
    made.add(Table(("", ""), _head(subject, source)))
    told = Table(page_bus.MESSAGES, page_bus.messages(subject.document))
    made.add(*_titled("Messages", told))
    made.add(Heading(2, "Channels"), Table(*_channels(subject, languages)))
    made.add(*_titled("Settings", Table(*_settings(subject))))
    made.add(*_titled("In a site file", Code(_site(subject), "yaml")))
    shown = example(subject.given)
    if shown is not None:
        made.add(Heading(2, "Example"), *_example(shown))
        if shown.readings:
            sample = Code(_sample(subject, shown), "json")
            made.add(Paragraph("The platform receives (SenML, shown as JSON):"), sample)
    return made


def folded(draft: Draft) -> str:
    """Return a channel's id as one writes it, arrays and groups folded: zone[1..8].flow."""
    name = draft.folded.replace("%", _array(draft.groups))
    return name.replace("#", _array(draft.made.suffixes))


def _titled(heading: str, block: Table | Code) -> list[Any]:
    empty = isinstance(block, Table) and not block.rows
    return [] if empty else [Heading(2, heading), block]


def _array(suffixes: list[str]) -> str:
    numbers = [int(one) for one in suffixes if one.isdigit()]
    if numbers == list(range(numbers[0], numbers[0] + len(suffixes))) if numbers else False:
        return f"[{suffixes[0]}..{suffixes[-1]}]"
    return f"[{','.join(suffixes)}]"


def _head(subject: Subject, source: str) -> list[tuple[Inline, Inline]]:
    reached = subject.grade
    lacks = f"; {reached.following} lacks: {'; '.join(reached.lacking)}" if reached.lacking else ""
    document, docs = subject.document, subject.written("docs")
    rows: list[tuple[str, Inline]] = [
        ("maker", subject.written("maker")),
        ("models", ", ".join(subject.listed("models"))),
        ("category", category(subject.written("kind")) if subject.written("kind") else ""),
        ("bus", page_bus.line(document)),
        ("polled every", facts.duration(document["every"])),
        ("recognised by", _recognised(subject)),
        ("profile", [link(subject.name, source), ", identity ", code(_digest(subject))]),
        ("grade", [bold("–" if reached.name == "none" else reached.name), lacks]),
        ("checked against", _FROM.get(subject.written("verified"), "")),
        ("manual", link(urlsplit(docs).netloc or docs, docs) if docs else ""),
        ("source", _source(subject)),
    ]
    return [(bold(name), text) for name, text in rows if text]


def _recognised(subject: Subject) -> Inline:
    written = subject.written("identify")
    return code(written) if written else page_bus.recognised(subject.document)


def _digest(subject: Subject) -> str:
    return subject.given.profile.digest.hex()


def _source(subject: Subject) -> str:
    """The remark at the head of the file that says where its facts come from."""
    head = takewhile(lambda line: line.startswith("#"), subject.text.split("\n"))
    text = " ".join(line.lstrip("#").strip() for line in head)
    return text.partition("Source: ")[2]


def _channels(subject: Subject, languages: Sequence[str]) -> tuple[list[str], list[list[Inline]]]:
    head = ["channel", *(HEADINGS.get(one, one) for one in languages), "where", "read as"]
    head += ["unit", "kind", "values", "every", "access"]
    titles = written_titles(subject.checked.drafts)
    rows: list[list[Inline]] = []
    for draft, channel in zip(subject.checked.drafts, subject.given.profile.channels, strict=True):
        row, keys = draft.row, draft.keys
        names = [_title(draft, titles.get(draft.folded), one) for one in languages]
        rows.append(
            [
                code(folded(draft)),
                *names,
                _where(draft, channel),
                _read_as(draft, channel),
                _unit(str(keys.get("unit", "")), row),
                code(row["kind"]) if "kind" in row else "",
                _values(draft),
                facts.duration(row["every"]) if "every" in row else "",
                _access(row),
            ]
        )
    return head, rows


def _title(draft: Draft, own: Own, language: str) -> str:
    name = draft.folded.replace("%", "#")
    told = title if language == "en" else translated  # no English among the Chinese
    return told(name, draft.row.get("kind", ""), own, language)


def _where(draft: Draft, channel: Channel) -> str:
    node, group = draft.node.get("at"), draft.group
    if channel.at is None:
        return "derived" if channel.calc else "steps"
    modbus = channel.table in TABLES
    if node is None or not isinstance(node.value, int):
        return channel.table or "the message"
    noun = channel.table if modbus else "column" if where.is_text(channel) else "byte"
    of = f" of {channel.table}" if channel.table and not modbus else ""
    at = node.value + (group.at if group else 0)
    parts = [f"{noun} {f'0x{at:04X}' if node.text.startswith('0x') else at}{of}"]
    if channel.of is not None and channel.step != 1:
        parts.append(f"every {channel.step}")
    if group and group.index >= 0:
        parts.append(f"groups every {group.step}")
    return ", ".join(parts)


def _read_as(draft: Draft, channel: Channel) -> list[str | Piece]:
    row = draft.row
    parts: list[str | Piece] = []
    if channel.at is not None:
        name = where.type_name(channel)
        order = f" {row['order']}" if "order" in row else ""
        low, high = row.get("bits", [0, 0])
        bits = f" bit {low}" if low == high else f" bits {low}..{high}"
        parts.append(code(f"{name}{order}{bits if 'bits' in row else ''}"))
        offset = row.get("offset", 0)
        parts.append(f" × {row['scale']}" if "scale" in row else "")
        parts.append(f" + {offset}".replace("+ -", "− ") if offset else "")
    for key in ("match", "calc", "if"):
        node = draft.node.get(key)
        if node is not None:
            parts += [" " if parts else "", f"{key} ", code(node.text)]
    return [part for part in parts if part]


def _unit(unit: str, row: dict[str, Any]) -> str:
    sent = row.get("unit", "")
    if units_cpython.wire_unit(unit) == sent or not sent or not unit:
        return unit or sent
    return f"{unit}, sent as {sent}"


def _values(draft: Draft) -> str:
    row = draft.row
    labels = row.get("map") or row.get("flags") or {}
    words = [str(one).lower() if isinstance(one, bool) else str(one) for one in labels.values()]
    more = len(words) - _WORDS_MAX
    parts = [", ".join(words[:_WORDS_MAX]) + (f" and {more} more" if more > 0 else "")]
    if "valid" in row:
        low, high = ("" if end is None else str(end) for end in row["valid"])
        parts.append(f"{low}..{high}")
    if "none" in draft.keys:
        node = draft.node.get("none")
        raws = [item.text for item in node.items] or [node.text] if node else []
        parts.append(f"none: {', '.join(raws)}")
    return "; ".join(part for part in parts if part)


def _access(row: dict[str, Any]) -> str:
    write = row.get("write")
    if row.get("hidden"):
        return "hidden"
    if write is None:
        return ""
    low, high = write.get("min"), write.get("max")
    limits = (
        ""
        if low is None and high is None
        else f" {'' if low is None else low}..{'' if high is None else high}"
    )
    return ("write only" if write.get("only") else "read, write") + limits


def _settings(subject: Subject) -> tuple[list[str], list[list[Inline]]]:
    node = subject.checked.root.get("settings") if subject.checked.root else None
    rows: list[list[Inline]] = []
    for key, value in node.pairs if node else ():
        told = {one.text: held for one, held in value.pairs}
        words = [item.text for _, item in told["map"].pairs] if "map" in told else []
        low, high = (told[one].text if one in told else "" for one in ("min", "max"))
        default = told["default"].text if "default" in told else "must be chosen"
        rows.append(
            [
                code(key.text),
                told["help"].text if "help" in told else "",
                "" if "secret" in told else default,
                ", ".join(words) or (f"{low}..{high}" if low or high else ""),
                told["unit"].text if "unit" in told else "",
                f"register {told['at'].text}" if "at" in told else "",
            ]
        )
    return ["setting", "", "default", "values", "unit", "written to"], rows


def _site(subject: Subject) -> str:
    must = [
        one.name for one in subject.given.profile.settings if one.default is None and not one.secret
    ]
    chosen = ", ".join(f"{name}: …" for name in must)
    settings = f", settings: {{{chosen}}}" if must else ""
    unit = (
        f", unit: {subject.document.get('unit', 1)}" if subject.document["bus"] == "modbus" else ""
    )
    return f"devices:\n  {_DEVICE}: {{profile: {subject.name}{unit}{settings}}}"


def _example(shown: Example) -> list[Any]:
    blocks: list[Any] = []
    note = shown.case.node.get("note")
    if shown.made:
        blocks.append(Paragraph("Put together from the registers of a test:"))
    elif note is not None:
        blocks.append(Paragraph(note.text))
    for heading, parts in shown.frames:
        rows: list[list[Inline]] = [[code(part.shown), part.means] for part in parts[:_PARTS_MAX]]
        left = parts[_PARTS_MAX:]
        if left:
            rows.append(["…", f"{len(left)} more like these"])
        blocks.append(Table([heading, ""], rows))
    return blocks


def _sample(subject: Subject, shown: Example) -> str:
    """What the packer makes of the example's readings, its labels as RFC 8428 names them."""
    readings = shown.readings[:_RECORDS_MAX]
    points = {f"{_DEVICE}/{name}": (value, quality) for name, value, quality in readings}
    units = _units(subject)
    packer = Packer(_GATEWAY, {point: units[point.partition("/")[2]] for point in points})
    latest = [Reading(point, value, 0, quality) for point, (value, quality) in points.items()]
    pack = packer.snapshot(latest, 0, lambda _boot, _ms: Stamp(_WHEN_MS, _WHEN_MS, SYNCED))
    rows = [
        {_LABELS.get(label, label): _plain(value) for label, value in record.items()}
        for record in cbor.decode(pack)
    ]
    rows[0] = {key: rows[0][key] for key in ("bn", "bt", "bver", *rows[0]) if key in rows[0]}
    more = len(shown.readings) - len(readings)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "[" + ",\n ".join(lines) + (f",\n … {more} more]" if more > 0 else "]")


def _units(subject: Subject) -> dict[str, str]:
    return {name: told.seen.get("unit", "") for name, told in facts.channels(subject.given).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return "" if isinstance(value, bytes) else value
