"""Checks a compiled profile as a whole: circles, overlaps, doubtful addresses, untested channels.

Knows the portable model, which it loads; runs no test.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from drivers.profile.address_cpython import FIRST, REFERENCE
from drivers.profile.decode import arrange
from drivers.profile.image import HOLDING, INPUT
from drivers.profile.map import places
from drivers.profile.model import Profile
from drivers.profile.names_cpython import expand
from drivers.profile.slot import NEVER

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.bus_cpython import Section
    from drivers.profile.cases_cpython import Case
    from drivers.profile.draft_cpython import Draft
    from drivers.profile.slot import Place
    from gateway.core.report_cpython import Report


def check(
    document: dict[str, Any],
    drafts: list[Draft],
    section: Section,
    cases: list[Case],
    report: Report,
) -> None:
    """Report what only shows once all channels are known."""
    profile = Profile(document, b"")
    by_id: dict[str, Draft] = {}
    for draft in drafts:
        for one in expand(draft.folded, draft.groups, draft.made.suffixes):
            by_id.setdefault(one, draft)
    found = places(profile)
    _circles(found, by_id, report)
    _overlaps(found, by_id, section, report)
    if section.modbus and "base" not in section.keys:
        _reference_numbers(drafts, report)
    _too_wide(profile, found, by_id, report)
    _untested(by_id, cases, report)


def _circles(found: list[Place], by_id: dict[str, Draft], report: Report) -> None:
    uses: dict[str, set[str]] = {}
    for place in found:
        uses.setdefault(place.id, set()).update(place.operands)
    done: set[str] = set()
    for start in sorted(uses):
        trail: list[str] = []
        if _circle(start, uses, trail, done):
            shown = " → ".join(trail[trail.index(trail[-1]) :])
            hint = (
                "x is its own number" if len(set(trail)) == 1 else "one needs a number of its own"
            )
            message = f"the expressions go in a circle: {shown}"
            report.add("E042", by_id[start].key, message, hint)
            return


def _circle(name: str, uses: dict[str, set[str]], trail: list[str], done: set[str]) -> bool:
    # Depth first without recursion: an attacker may chain 512 channels.
    stack: list[tuple[str, list[str]]] = [(name, sorted(uses.get(name, ())))]
    trail.append(name)
    while stack:
        current, left = stack[-1]
        if not left:
            done.add(current)
            stack.pop()
            trail.pop()
            continue
        following = left.pop()
        if following in trail:
            trail.append(following)
            return True
        if following in uses and following not in done:
            trail.append(following)
            stack.append((following, sorted(uses[following])))
    return False


def _overlaps(
    found: list[Place], by_id: dict[str, Draft], section: Section, report: Report
) -> None:
    # The same place twice is fine (a code beside its words), and other bits; half of one is not.
    taken: list[tuple[str, int, int, str]] = section.furniture()
    bits: dict[tuple[str, int, int, str], set[int]] = {}
    for place in found:
        rare = place.when or place.channel.every_ms == NEVER
        table, address = place.channel.table, place.address
        if address is None or rare or section.text(table):
            continue
        if address < 0:
            address += section.size(table) or 0
        taken.append((table, address, place.channel.count, place.id))
        bits[taken[-1]] = _bits(place, address)
    taken.sort()
    for before, after in pairwise(taken):
        if before[0] != after[0] or before[1] + before[2] <= after[1]:
            continue
        one, another = bits.get(before), bits.get(after)
        if one and another and one.isdisjoint(another):
            continue
        mine, other = (after, before) if after[3] in by_id else (before, after)
        if mine[3] in by_id and (before[1:3] != after[1:3] or other[3] not in by_id):
            _overlap(mine, other, by_id, section, report)


def _bits(place: Place, address: int) -> set[int]:
    """Return which bits of the message or table `bits` names, in the order of the wire."""
    layout = place.channel.layout
    if not layout.bits:
        return set()
    first = address * layout.width
    highest_first = arrange(bytes(range(layout.count * layout.width)), layout.order)
    return {
        8 * (first + highest_first[-1 - bit // 8]) + bit % 8
        for bit in range(layout.bits[0], layout.bits[1] + 1)
    }


def _overlap(
    mine: tuple[str, int, int, str],
    other: tuple[str, int, int, str],
    by_id: dict[str, Draft],
    section: Section,
    report: Report,
) -> None:
    what = "register" if section.modbus else "byte"
    shared = max(mine[1], other[1])
    if other[3] in by_id:
        whose, hint = repr(other[3]), f"see line {by_id[other[3]].key.line}; is a type too wide?"
    else:
        whose, hint = other[3], "is a type too wide?"
    message = f"{what} {shared} of {mine[3]!r} also belongs to {whose}"
    report.add("W033", by_id[mine[3]].place("at"), message, hint)


def _reference_numbers(drafts: list[Draft], report: Report) -> None:
    rows = [draft.row for draft in drafts if "at" in draft.row]
    for table in (HOLDING, INPUT):
        first = FIRST[table]
        mine = [row for row in rows if row.get("in", HOLDING) == table]
        # A register 40000 shows that the profile counts as the wire does (SunSpec does).
        if not mine or min(row["at"] for row in mine) < first:
            continue
        draft = next(one for one in drafts if one.row in mine)
        hint = f"write base: {REFERENCE} in the bus section, or base: 0 if the wire counts so, too"
        message = f"{draft.row['at']} looks like a reference number, not an address"
        report.add("W030", draft.place("at"), message, hint)


def _too_wide(
    profile: Profile, found: list[Place], by_id: dict[str, Draft], report: Report
) -> None:
    for place in found:
        # max: 1 asks for one channel per request, however wide it is.
        if profile.max > 1 and place.channel.count > profile.max:
            message = f"{place.channel.count} registers do not fit a request of max {profile.max}"
            report.add("E024", by_id[place.id].place("type"), message)


def _untested(by_id: dict[str, Draft], cases: list[Case], report: Report) -> None:
    touched: set[str] = set()
    for case in cases:
        touched |= case.channels
    for draft in {id(one): one for one in by_id.values()}.values():
        ids = expand(draft.folded, draft.groups, draft.made.suffixes)
        if not touched.intersection(ids) and not draft.keys.get("hidden"):
            hint = "paste one frame of the manual under tests:"
            report.add("W060", draft.key, f"no test touches channel {draft.key.shown}", hint)
