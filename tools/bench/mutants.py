"""How often the tools name the mistake in a profile: one mistake at a time, in every shipped one.

`check` and `test` compare with the tests of the file. `try` looks at the true device, simulated:
with the file's tests beside it as a vendor has them, and without any ("first draft").
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find, shipped
from drivers.profile.model import load
from gateway.core import cbor
from gateway.core.errors import ConfigError
from tools.bench.mutate import mutants
from tools.bench.rows import row
from tools.profile.causes.diagnose import first
from tools.profile.causes.variants import ADDRESS, ORDER, SCALE
from tools.profile.live.poll_once import ModbusLook
from tools.profile.proof import tester
from tools.sim.sensors import SensorSlave, sensor_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drivers.profile.check_cpython import Checked
    from drivers.protocol.pdu import Request
    from tools.bench.mutate import Mutant

KINDS = (ADDRESS, ORDER, SCALE)
SHARE_MIN = 90  # per cent of the mutants whose cause is named, in the first place
PER_PROFILE = 24  # mutants of each kind that one profile adds, so that no large one decides
SEED = 1

NAMED, SECOND, WRONG, SILENT, UNNOTICED = "named", "second", "wrong", "silent", "unnoticed"

OTHERWISE = {
    SECOND: "cause named as the second",
    WRONG: "only other causes named",
    SILENT: "doubted, no cause named",
    UNNOTICED: "not noticed",
}


class Tally:
    """What became of mutants, by tool and kind of mistake."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.profiles = 0

    def add(self, tool: str, kind: str, outcome: str) -> None:
        self.counts[tool, kind, outcome] += 1

    def total(self, tool: str, kinds: Iterable[str] = KINDS, outcome: str = "") -> int:
        """Return how many mutants of these kinds a tool saw, or with this outcome."""
        return sum(
            count
            for (of, kind, what), count in self.counts.items()
            if of == tool and kind in kinds and outcome in ("", what)
        )

    def share(self, tool: str, kinds: Iterable[str] = KINDS, outcome: str = NAMED) -> float:
        """Return the per cent with an outcome."""
        kinds = tuple(kinds)
        return 100 * self.total(tool, kinds, outcome) / max(1, self.total(tool, kinds))


TEST, TRY, DRAFT = "check and test", "try", "try of a first draft"


def run() -> list[dict[str, object]]:
    """Measure; return the figures with their budgets."""
    tally = Tally()
    for name in shipped():
        count(find(name).read_text(), tally, PER_PROFILE)
    rows: list[dict[str, object]] = [row("profiles", tally.profiles, "")]
    for tool in (TEST, TRY, DRAFT):
        rows.append(row(f"{tool}: mutants", tally.total(tool), ""))
        for kind in KINDS:
            rows.append(row(f"{tool}: {kind}, cause named", tally.share(tool, [kind]), "%"))
        for outcome, text in OTHERWISE.items():
            rows.append(row(f"{tool}: {text}", tally.share(tool, outcome=outcome), "%"))
        named = row(f"{tool}: cause named", tally.share(tool), "%")
        if tool != DRAFT:
            named.update(budget=SHARE_MIN, at_least=True)
        rows.append(named)
    return rows


def count(text: str, tally: Tally, per_kind: int, seed: int = SEED) -> None:
    """Add what becomes of at most `per_kind` mutants of each kind of one profile."""
    whole = check_text(text, "profile")
    if whole.document is None or tester.run(whole).failed:
        return
    tally.profiles += 1
    slave = _slave(whole)
    chosen = _chosen(mutants(text), per_kind, random.Random(seed))
    for mutant in chosen:
        checked = check_text(mutant.text, "profile")
        tester.run(checked)
        by_test = _by_test(checked, mutant)
        tally.add(TEST, mutant.kind, by_test)
        if slave is not None and checked.document is not None:
            by_look = asyncio.run(_by_look(checked, mutant, slave))
            tally.add(DRAFT, mutant.kind, by_look)
            tally.add(TRY, mutant.kind, _better(by_test, by_look))


def _slave(whole: Checked) -> SensorSlave | None:
    assert whole.document is not None
    if whole.document["bus"] != MODBUS:
        return None
    return SensorSlave({1: sensor_of(whole)}, lambda: 1.0)


def _chosen(found: Iterable[Mutant], most: int, chance: random.Random) -> list[Mutant]:
    by_kind: dict[str, list[Mutant]] = {kind: [] for kind in KINDS}
    for mutant in found:
        by_kind[mutant.kind].append(mutant)
    return [
        mutant
        for mutants_of_kind in by_kind.values()
        for mutant in chance.sample(mutants_of_kind, min(most, len(mutants_of_kind)))
    ]


def _by_test(checked: Checked, mutant: Mutant) -> str:
    found = [one for one in checked.report.problems if one.code == "E063"]
    if checked.document is None:
        return SILENT
    if not found:
        return UNNOTICED
    told = [one.hint.partition(" it would")[0].split(", or ") for one in found if one.hint]
    if any(_names(causes[0], mutant) for causes in told):
        return NAMED
    if any(_names(cause, mutant) for causes in told for cause in causes):
        return SECOND
    return WRONG if told else SILENT


def _names(told: str, mutant: Mutant) -> bool:
    # Of what a value is computed from the channel is named before: "with 'x' at 3 instead of 2".
    return told in mutant.remedies or told.endswith(tuple("' " + one for one in mutant.remedies))


async def _by_look(checked: Checked, mutant: Mutant, slave: SensorSlave) -> str:
    profile = load(cbor.encode(checked.document))

    async def ask(request: Request) -> bytes:
        return request.parse(slave.answer(1, request.encode()) or b"")

    try:
        look = ModbusLook(profile.device(), 1, ask)
    except ConfigError:  # a setting without a default: a site must choose
        return SILENT
    await look.run()
    mutated = profile.channels[mutant.row]
    told = [
        one.best.variant.told(one.channel, first(one.channel.table, checked.base))
        for one in look.doubts
        if one.best and one.channel is mutated
    ]
    if any(one in mutant.remedies for one in told):
        return NAMED
    if not look.doubts:
        return UNNOTICED
    return WRONG if told else SILENT


def _better(one: str, other: str) -> str:
    ranks = (NAMED, SECOND, WRONG, SILENT, UNNOTICED)
    return min(one, other, key=ranks.index)
