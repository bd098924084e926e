"""The pages of all profiles: one for each, and the index by category, kind, maker and bus.

Knows where each page stands; what is on the page of a profile is page.py's business.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from drivers.profile.vocabulary_cpython import LANGUAGES
from tools.profile.proof.grade import GRADES
from tools.profile.telling.markup import Heading, Page, Paragraph, Table, bold, code, link
from tools.profile.telling.page import HEADINGS, Subject, category, page
from tools.profile.telling.page_bus import bus_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tools.profile.telling.markup import Inline, Piece

INDEX = "README.md"
_MAKERS_MAX = 8  # of one category, on the first page of the repository
_OTHER_INDEXES = ("By kind of data", "By maker", "By bus")
# Where a page of docs/devices/<maker>/ finds the profiles.
_SOURCE = "../../../profiles/{}.yaml"
_WRITTEN = "Written by `tidegate profile doc --all`, from the profiles and nothing else."
BEGIN, END = "<!-- devices: begin -->\n", "<!-- devices: end -->\n"


def subjects(folder: Path = units_cpython.PROFILES) -> list[Subject]:
    """Return every profile of a folder, in the order of their names."""
    return [
        Subject(f"{path.parent.name}/{path.stem}", path.read_text(encoding="utf-8"), str(path))
        for path in sorted(folder.glob("*/*.yaml"))
    ]


def pages(found: Sequence[Subject], languages: Sequence[str] = LANGUAGES) -> dict[str, str]:
    """Return the text of each page by where it stands below docs/devices."""
    made = {
        f"{one.name}.md": page(one, languages, _SOURCE.format(one.name)).markdown() for one in found
    }
    made[INDEX] = index(found).markdown()
    return made


def index(found: Sequence[Subject]) -> Page:
    """Return the page that leads to all others."""
    made = Page("Devices")
    makers = {one.written("maker") for one in found}
    kinds = _by(found, _kinds)
    counts = f"{len(found)} devices of {len(makers)} makers, {len(kinds)} kinds of data. "
    made.add(
        Paragraph(counts + "A grade says how well a profile is proven: " + _grades(found)),
        Paragraph(
            [_WRITTEN.partition("`")[0], code(_WRITTEN.split("`")[1]), _WRITTEN.split("`")[2]]
        ),
    )
    categories = _by(found, lambda one: [one.written("kind")])
    made.add(Paragraph(_contents([category(kind) for kind in categories] + [*_OTHER_INDEXES])))
    for kind, members in categories.items():
        rows = [_row(one) for one in members]
        made.add(
            Heading(2, category(kind)),
            Table(["device", "maker", "bus", "measures", "grade", "checked against"], rows),
        )
    head = ["kind", *(HEADINGS[one] for one in LANGUAGES), "unit", "devices"]
    registry = units_cpython.kinds()
    made.add(
        Heading(2, "By kind of data"),
        Table(
            head,
            [
                [
                    code(kind),
                    *(registry[kind].get(one, "") for one in LANGUAGES),
                    registry[kind]["unit"],
                    _links(members),
                ]
                for kind, members in kinds.items()
            ],
        ),
    )
    for heading, keys in (("maker", _maker), ("bus", _bus)):
        rows = [[bold(key), _links(members)] for key, members in _by(found, keys).items()]
        made.add(Heading(2, f"By {heading}"), Table([heading, "devices"], rows))
    return made


def _contents(headings: list[str]) -> list[str | Piece]:
    found: list[str | Piece] = []
    for heading in headings:
        found += [" · "] if found else []
        found.append(link(heading, f"#{_anchor(heading)}"))
    return found


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def summary(found: Sequence[Subject]) -> str:
    """Return what the first page of the repository says of the catalogue."""
    rows: list[list[Inline]] = []
    for kind, members in _by(found, lambda one: [one.written("kind")]).items():
        makers = sorted({one.written("maker") for one in members if one.written("maker")})
        target = f"docs/devices/{INDEX}#{_anchor(category(kind))}"
        more = len(makers) - _MAKERS_MAX
        told = ", ".join(makers[:_MAKERS_MAX]) + (f" and {more} more" if more > 0 else "")
        rows.append([link(category(kind), target), str(len(members)), told])
    made = Page("")
    made.add(Table(["category", "devices", "makers"], rows))
    return made.markdown().partition("\n\n")[2]


def _grades(found: Iterable[Subject]) -> str:
    counts = dict.fromkeys(reversed(GRADES), 0)
    for one in found:
        counts[one.grade.name] += 1
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) + "."


def _by(
    found: Iterable[Subject], keys: Callable[[Subject], Iterable[str]]
) -> dict[str, list[Subject]]:
    groups: defaultdict[str, list[Subject]] = defaultdict(list)
    for one in found:
        for key in keys(one):
            groups[key].append(one)
    return {key: groups[key] for key in sorted(groups, key=lambda key: (not key, key.lower()))}


def _kinds(one: Subject) -> list[str]:
    return sorted({draft.row["kind"] for draft in one.visible() if "kind" in draft.row})


def _maker(one: Subject) -> list[str]:
    return [one.written("maker") or "several makers"]


def _bus(one: Subject) -> list[str]:
    return [bus_name(one.document["bus"])]


def _row(one: Subject) -> list[Inline]:
    registry = units_cpython.kinds()
    measures = list(dict.fromkeys(registry[kind]["en"] for kind in _kinds(one)))
    told = "; ".join(measures[:4]) + (" …" if len(measures) > 4 else "")
    return [
        link(one.title, f"{one.name}.md"),
        one.written("maker"),
        bus_name(one.document["bus"]),
        told,
        one.grade.name,
        one.written("verified"),
    ]


def _links(members: Sequence[Subject]) -> list[str | Piece]:
    found: list[str | Piece] = []
    for one in members:
        found += [", "] if found else []
        found.append(link(one.name, f"{one.name}.md"))
    return found
