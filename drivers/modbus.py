"""Modbus devices: what a profile wants becomes few requests, what comes back becomes Readings.

Knows profiles, plans and what each device refuses; knows no framing, no schedule and no site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.breaker import CAP_MS
from drivers.modbus_unit import TIMEOUT_MS, TRIES, Unit
from drivers.profile.image import BIT_TABLES, Field, Image
from drivers.profile.plan import Cost, Range, plan, plan_us, split
from drivers.profile.plan_periods import Ticks, arrange, loads
from drivers.profile.slot import ONCE
from drivers.protocol import pdu
from drivers.protocol.refusal import ILLEGAL_ADDRESS, ILLEGAL_VALUE, may_succeed_later
from gateway.core import aio, log
from gateway.core.errors import BadReply, ConfigError, LinkError, NoReply, Refused
from gateway.core.reading import BAD_REPLY, NO_REPLY, REFUSED, UNIT_CONFLICT, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from drivers.modbus_unit import ModbusBus
    from drivers.profile.image import Step
    from drivers.profile.map import Map
    from drivers.profile.model import Profile

_READ = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}  # table → function (V1.1b3 §6.1-6.4)
WORDS_MAX = pdu.LIMITS[pdu.READ_HOLDING_REGISTERS]
BITS_MAX = pdu.LIMITS[pdu.READ_COILS]
_DIVIDE = (ILLEGAL_ADDRESS, ILLEGAL_VALUE)  # refusals that smaller ranges may not meet

_IDENTIFY, _SETUP, _FIRST, _UP = range(4)  # what a device goes through until it is simply polled
_RETRY_FIRST_MS = 10_000  # when that failed though the device lives; doubled each time …
_RETRY_MAX_MS = 3_600_000  # … up to this: what it sets may wear the device's memory out


class ModbusDevice:
    """One unit with its profile, on a bus.

    `periods` are what `poll` takes: the shortest of each of the `chains`, whose ticks fall
    together. `refused` is what the device would not give, worth keeping for the next start;
    `notes` says in words what is wrong with it; `unit.counts` counts.
    """

    def __init__(
        self,
        name: str,
        bus: ModbusBus,
        map_: Map,
        unit: int | None = None,
        refused: Iterable[Range] = (),
        cap_ms: int = CAP_MS,
    ) -> None:
        line = map_.profile.line
        pause_ms = line.get("pause_ms", 0)
        number = map_.profile.unit if unit is None else unit
        self.name = name
        self.bus = bus
        self.map = map_
        timeout_ms = line.get("timeout_ms", TIMEOUT_MS)
        tries = 1 + line["retries"] if "retries" in line else TRIES
        self.unit = Unit(name, bus, number, timeout_ms, pause_ms, cap_ms, tries)
        self.cost = Cost(bus.cost.request_us + 1000 * pause_ms, bus.cost.byte_us)
        self.limits = _limits(map_.profile)
        self.refused = set(refused)
        self.notes: dict[str, str] = {}
        self._known: dict[str, Any] = {}
        self._groups: dict[tuple[int, ...], _Group] = {}
        self._requests: dict[Range, pdu.Request] = {}  # made once: at most two a field, by halving
        self._stage = _IDENTIFY
        self._retry_at_ms = 0
        self._failures = 0
        self._polled = [field for period in map_.periods() for field in map_.fields(period)]
        self.chains = arrange([one for one in map_.periods() if one != ONCE], self._read_us)
        self._groups = {}  # of all that was tried few are read
        self._ticks = {chain.every[0]: Ticks(chain) for chain in self.chains}
        self.periods = [chain.every[0] for chain in self.chains] or [ONCE]

    async def poll(self, period_ms: int) -> list[Reading]:
        """Read what is due with `period_ms`; where there is no value the quality says why."""
        now_ms = aio.now_ms()
        over = ""
        readings: list[Reading] = []
        if self.unit.silent:  # who answers next may have been switched off, or exchanged
            self._stage, self._retry_at_ms = _IDENTIFY, 0
        if not self.unit.allows(now_ms):
            over = NO_REPLY
        elif self._stage != _UP and now_ms >= self._retry_at_ms:
            readings, over = await self._bring_up()
            if self._stage == _UP and period_ms == ONCE:
                return readings
        due = self._ticks[period_ms].due(now_ms) if period_ms in self._ticks else (period_ms,)
        group = self._group(due)
        return readings + self._readings(await self._catch(group, over), group.fields, due)

    async def write(self, channel: str, value: Any) -> list[Reading]:
        """Set `channel` to `value` (wire unit) and return what the device then says it is.

        Raises ConfigError if that is not allowed, NoReply, BadReply, LinkError, and Refused, also
        if the device says yes and then holds something else.
        """
        if not self._recognised():
            raise Refused(f"{self.name}: not known to be a {self.map.profile.name}, not written")
        catch = _Catch("")
        async with self.unit.turn:
            for step in self.map.write(channel, value, self._known):
                await self._carry_out(step, catch)
        return self._readings(catch, [], None)

    def plans(self) -> list[tuple[int, list[Range]]]:
        """Return (period, what is read at it) for each period, ONCE among them.

        Where ticks fall together that is all that is due then; the period is the one kept.
        """
        found = [(ONCE, self._group((ONCE,)).spans)] if ONCE in self.map.periods() else []
        for chain in self.chains:
            for place in range(len(chain.every)):
                found.append((chain.every[place], self._group(chain.periods[: place + 1]).spans))
        return found

    def loads(self) -> list[tuple[int, int]]:
        """Return (period, wire time in microseconds it adds each time) for each period kept."""
        return [(every, us) for _, every, us in loads(self.chains, self._read_us)]

    def _read_us(self, due: tuple[int, ...]) -> int:
        return plan_us(self._group(due).spans, self.cost)

    def _group(self, due: tuple[int, ...]) -> _Group:
        """Return what is read when these periods are due together."""
        if due not in self._groups:
            fields = self.map.fields(due[0])
            for period in due[1:]:
                fields = _merged(fields, self.map.fields(period))
            self._groups[due] = self._planned(fields)
        return self._groups[due]

    def _planned(self, fields: list[Field]) -> _Group:
        spans = plan(fields, self.cost, *self.limits, self.refused, self._polled)
        return _Group(fields, spans, self.refused)

    def _readings(
        self, catch: _Catch, fields: list[Field], due: tuple[int, ...] | None
    ) -> list[Reading]:
        last_ms = catch.mids[-1][1] if catch.mids else aio.now_ms()
        times: dict[str, int] = {}
        if len(catch.mids) > 1:
            for span, mid_ms in catch.mids:
                for field in fields:
                    if span.holds(field):
                        times.update(dict.fromkeys(field.channels, mid_ms))
        return [
            Reading(f"{self.name}/{channel}", value, times.get(channel, last_ms), quality)
            for channel, value, quality in self.map.decode(catch.image, self._known, due)
        ]

    # Reading a group: what fails leaves the others alone, unless the unit is silent.

    async def _catch(self, group: _Group, over: str) -> _Catch:
        """Read all of `group`; nothing more once `over` says why there is no use."""
        catch = _Catch(over)
        for span in group.given_up:
            catch.fail(span, REFUSED)
        for span in group.spans[group.turn :] + group.spans[: group.turn]:
            if catch.over:
                catch.fail(span, catch.over)
                continue
            try:
                await self._read(span, group, catch)
            except (NoReply, LinkError) as error:
                catch.fail(span, NO_REPLY)
                catch.stop(error)
                # A unit may be silent about one range only: next time the others come first.
                group.turn = (group.spans.index(span) + 1) % len(group.spans)
            except BadReply:
                catch.fail(span, UNIT_CONFLICT if self.unit.in_doubt else BAD_REPLY)
                catch.over = BAD_REPLY if self.unit.silent else ""
        self._learn(group, catch)
        self._check_address()
        return catch

    async def _read(self, span: Range, group: _Group, catch: _Catch) -> None:
        try:
            data = await self._fetch(span)
        except Refused as error:
            if error.code in _DIVIDE and (not group.stubborn or await self._gives(span, group)):
                await self._divide(span, group, catch)
            else:
                catch.fail(span, REFUSED)
                catch.later |= may_succeed_later(error.code)
            return
        catch.put(span, data, (self.unit.asked_at_ms + aio.now_ms()) // 2)

    async def _gives(self, span: Range, group: _Group) -> bool:
        """Whether a device that refused all so far gives a field of `span`: another each time."""
        fields = [one for one in group.fields if span.holds(one)]
        one = fields[group.probes % len(fields)]
        group.probes += 1
        try:
            await self._fetch(Range(one.table, one.address, one.count))
        except Refused:
            return False
        group.stubborn = False
        return True

    async def _divide(self, span: Range, group: _Group, catch: _Catch) -> None:
        """Read a refused range in halves, and note what exactly cannot be read."""
        halves = split(span, group.fields)
        if halves is None:
            catch.fail(span, REFUSED)
            catch.refused.append(span)
            return
        left, right, seam = halves
        known = len(catch.refused)
        await self._read(left, group, catch)
        await self._read(right, group, catch)
        if len(catch.refused) == known:  # no field of it is to blame: it is too much at once
            catch.seams.append(seam)

    def _learn(self, group: _Group, catch: _Catch) -> None:
        # A unit that refuses everything is not ready, or not the one meant: nothing to remember.
        learned = catch.refused + catch.seams
        group.stubborn = not catch.mids and (group.stubborn or bool(learned))
        if catch.mids and learned:
            self.refused.update(learned)
            self._groups = {}

    async def _fetch(self, span: Range, held: bool = False) -> bytes:
        if span not in self._requests:
            self._requests[span] = pdu.read(_READ[span.table], span.address, span.count)
        payload = await self.unit.ask(self._requests[span], held)
        return bytes(pdu.bits(payload, span.count)) if span.table in BIT_TABLES else payload

    # Before a device is simply polled, and after it was silent: is it the one? settings, constants.

    async def _bring_up(self) -> tuple[list[Reading], str]:
        """Go on from the stage reached; return what was read, and why to ask no more, if so."""
        readings: list[Reading] = []
        catch = _Catch("")
        while self._stage != _UP and not catch.later:
            group = self._stage_group()
            catch = await self._catch(group, "")
            if catch.later:
                break
            if self._stage == _IDENTIFY:
                self.map.decode(catch.image, self._known)
                self._check_identity()
            elif self._stage == _SETUP:
                await self._set_up(catch)
            else:
                readings = self._readings(catch, group.fields, (ONCE,))
            self._stage += 0 if catch.later else 1
        if self._stage == _UP:
            self._failures = 0
        elif not catch.gone:
            wait_ms = min(_RETRY_FIRST_MS << min(self._failures, 16), _RETRY_MAX_MS)
            self._retry_at_ms = aio.now_ms() + wait_ms
            self._failures += 1
        return readings, catch.over

    def _stage_group(self) -> _Group:
        if self._stage == _IDENTIFY:
            return self._planned(self.map.identify_fields())
        return (
            self._planned(self.map.setup_fields())
            if self._stage == _SETUP
            else self._group((ONCE,))
        )

    def _check_identity(self) -> None:
        self.notes.pop("identify", None)
        if self.map.identify(self._known) is False:
            self._note("identify", f"does not look like a {self.map.profile.name}")

    def _check_address(self) -> None:
        if self.unit.in_doubt:
            if "duplicate" not in self.notes:
                self._note("duplicate", self.unit.in_doubt)
            self.notes["duplicate"] = self.unit.in_doubt
        else:
            self.notes.pop("duplicate", None)

    def _recognised(self) -> bool:
        """Whether this is the profile's device, as far as the profile can tell: only then write."""
        return not self.map.profile.rules or self.map.identify(self._known) is True

    async def _set_up(self, catch: _Catch) -> None:
        """Write what the site and the profile want set."""
        if not self._recognised():
            return
        self.notes.pop("setup", None)
        try:
            async with self.unit.turn:
                for step in self.map.setup_steps(self._known, catch.image):
                    await self._carry_out(step, catch)
        except Refused as error:
            catch.later = may_succeed_later(error.code)
            self._note("setup", str(error))
        except ConfigError as error:  # what the device said leads to a value no register holds
            self._note("setup", str(error))
        except BadReply:
            catch.later = True
        except (NoReply, LinkError) as error:
            catch.stop(error)

    async def _carry_out(self, step: Step, catch: _Catch) -> None:
        await self.unit.ask(write_request(step), held=True)
        if step.wait_ms:
            await aio.sleep_ms(step.wait_ms)
        if step.read_back:
            span = Range(step.table, step.address, len(step.values))
            data = await self._fetch(span, held=True)
            if data != _as_read(step):
                took = f"took {_as_read(step).hex()}, but holds {data.hex()}"
                raise Refused(f"{self.name}: {span.table} {span.address} {took}")
            catch.put(span, data, (self.unit.asked_at_ms + aio.now_ms()) // 2)

    def _note(self, what: str, text: str) -> None:
        self.notes[what] = text
        log.event(log.WARNING, what, device=self.name, why=text)


def write_request(step: Step) -> pdu.Request:
    """Return the request that carries out one step; ConfigError if a request cannot hold it."""
    if step.function == pdu.WRITE_COIL:
        return pdu.write_coil(step.address, bool(step.values[0]))
    if step.function == pdu.WRITE_REGISTER:
        return pdu.write_register(step.address, step.values[0])
    if step.function == pdu.WRITE_COILS:
        return pdu.write_coils(step.address, [bool(value) for value in step.values])
    return pdu.write_registers(step.address, step.values)


def _limits(profile: Profile) -> tuple[int, int, int]:
    """Return the registers and bits of a request at most, and the addresses that may be bridged."""
    bits_max = 1 if profile.max == 1 else BITS_MAX
    return min(profile.max, WORDS_MAX) or WORDS_MAX, bits_max, profile.gap


def _merged(fields: list[Field], more: list[Field]) -> list[Field]:
    """Return both together, each place once, with all it feeds."""
    found = {(one.table, one.address, one.count): one for one in fields}
    for one in more:
        key = (one.table, one.address, one.count)
        if key in found:
            names = found[key].channels
            names += tuple([name for name in one.channels if name not in names])
            one = Field(one.table, one.address, one.count, names)
        found[key] = one
    return [found[key] for key in sorted(found)]


class _Group:
    """What is read together: the fields, the ranges that bring them, the fields given up."""

    def __init__(self, fields: list[Field], spans: list[Range], refused: set[Range]) -> None:
        self.fields = fields
        self.spans = spans
        alone = [Range(one.table, one.address, one.count) for one in fields]
        self.given_up = [span for span in alone if span in refused]
        self.turn = 0  # the range that comes first
        self.stubborn = False  # refused as a whole: not divided again until a field is given
        self.probes = 0  # fields asked for alone to see that


class _Catch:
    """What reading a group brought: bytes, the middle of their exchange, what went wrong."""

    def __init__(self, over: str) -> None:
        self.image = Image()
        self.mids: list[tuple[Range, int]] = []
        self.refused: list[Range] = []  # fields that were, alone
        self.seams: list[Range] = []  # fields that cannot be read in one request
        self.over = over  # the quality of all that was not asked for
        self.gone = False  # the line, not the device
        self.later = False  # another time there may be more

    def stop(self, error: Exception) -> None:
        """Note that there is no use in asking for more now."""
        self.over, self.later = NO_REPLY, True
        self.gone = isinstance(error, LinkError)

    def put(self, span: Range, data: bytes, mid_ms: int) -> None:
        """Keep what `span` held."""
        self.image.put(span.table, span.address, data)
        self.mids.append((span, mid_ms))

    def fail(self, span: Range, quality: str) -> None:
        """Note why there is nothing of `span`."""
        self.image.fail(span.table, span.address, span.count, quality)
        self.later |= quality != REFUSED


def _as_read(step: Step) -> bytes:
    return bytes(step.values) if step.table in BIT_TABLES else pdu.from_words(step.values)
