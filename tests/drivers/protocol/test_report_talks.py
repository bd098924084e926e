"""Stations and loggers on lines that lose, repeat and damage: nothing is told twice, or wrongly."""

from __future__ import annotations

import random

from drivers.protocol import hj212, hj212_centre, sl651, sl651_centre
from drivers.protocol.stream import Seen
from gateway.core.errors import BadReply

STATION, MN = "0012345678", "010000A8900016F000169DC0"
CLOCK = "2025-01-15T06:31:07"
SEEDS = 150
TRIES = 3


class Link:
    """Bytes that may be lost, damaged or brought together; `worse` 0 is a good line."""

    def __init__(self, chance: random.Random, worse: float) -> None:
        self._chance = chance
        self._worse = worse

    def carry(self, data: bytes) -> bytes:
        if not data or self._chance.random() < self._worse:
            return b""
        if self._chance.random() < self._worse:
            at = self._chance.randrange(len(data))
            data = data[:at] + self._chance.randbytes(2) + data[at + self._chance.randrange(3) :]
        return data


def _report(serial: int, level: str) -> bytes:
    items: sl651.Items = [("ST", [STATION, "H"]), ("TT", [CLOCK[:16]]), ("Z", [level])]
    frame = sl651.Frame(STATION, sl651.TIMED, b"", sl651.ETX)
    return sl651.report(frame, serial, CLOCK, items)


def _picture(chance: random.Random) -> tuple[bytes, list[sl651.Frame]]:
    picture = b"\xff\xd8" + chance.randbytes(chance.randrange(50, 2000)) + b"\xff\xd9"
    frame = sl651.Frame(STATION, sl651.PICTURE, b"", sl651.ETX)
    whole = sl651.parse(sl651.report(frame, 9, CLOCK, [("PIC", picture)])).body
    parts = [whole[at : at + 200] for at in range(0, len(whole), 200)]
    made = []
    for number, part in enumerate(parts, 1):
        end = sl651.ETX if number == len(parts) else sl651.ETB
        made.append(sl651.Frame(STATION, sl651.PICTURE, part, end))
        made[-1].packets, made[-1].packet = len(parts), number
    return picture, made


def _answers(data: bytes) -> list[sl651.Frame]:
    return [sl651.parse(one) for one in sl651.stream().feed(data)]


def test_reports_over_bad_lines_are_told_once_and_confirmed_ones_are_told() -> None:
    confirmed = told = 0
    for seed in range(SEEDS):
        chance = random.Random(seed)
        link, seen = Link(chance, chance.random() * 0.5), Seen()
        centre = sl651_centre.Centre(seen=seen)
        for serial in range(1, 6):
            level, heard = f"{serial}.{seed:03}", []
            for _ in range(TRIES):
                if chance.random() < 0.2:  # the connection breaks
                    centre = sl651_centre.Centre(seen=seen)
                found = centre.take(link.carry(_report(serial, level)), 0, CLOCK)
                heard += [one.items[-1] for one in found.telegrams]
                if [True for one in _answers(link.carry(found.send)) if one.serial == serial]:
                    confirmed += 1
                    assert heard == [("Z", [level])]
                    break
            assert heard in ([], [("Z", [level])])
            told += len(heard)
    assert SEEDS * 5 > told >= confirmed > SEEDS * 3


def test_pictures_over_bad_lines_are_whole_or_not_told() -> None:
    whole = lost = 0
    for seed in range(SEEDS):
        chance = random.Random(seed)
        link, centre = Link(chance, chance.random() * 0.3), sl651_centre.Centre()
        picture, parts = _picture(chance)
        told, now = [], 0
        queue = [sl651.build(part) for part in parts]
        for _ in range(20 * len(parts)):
            if queue:
                heard = centre.take(link.carry(queue.pop(0)), now, CLOCK)
            elif centre.due_ms() is not None:
                now = centre.due_ms() or 0
                heard = centre.tick(now, CLOCK)
            else:
                break
            told += [one.items[-1] for one in heard.telegrams]
            for answer in _answers(link.carry(heard.send)):
                if answer.end == sl651.NAK:
                    part = parts[answer.packet - 1]
                    part.end = sl651.ETX
                    queue.append(sl651.build(part))
        assert told in ([], [("PIC", picture)])
        assert centre.due_ms() is None
        whole, lost = whole + len(told), lost + 1 - len(told)
    assert whole > SEEDS // 2
    assert lost > 5


def test_requests_over_bad_lines_end_and_are_carried_out_as_often_as_they_are_told() -> None:
    done = failed = 0
    for seed in range(SEEDS):
        chance = random.Random(seed)
        link, centre = Link(chance, chance.random() * 0.5), hj212_centre.Centre()
        group = [("DataTime", "20160801084000"), ("w01018-Avg", "40.1")]
        hello = hj212.Packet("32", hj212.REALTIME, MN, [group], "20160801085857223", "1", 4)
        centre.take(hj212.build(hello), 0, CLOCK)
        centre.ask(MN, hj212.MINUTE)
        now, notes, data, carried_out = 0, [], 0, set()
        heard = centre.tick(now, CLOCK)
        for _ in range(30):
            back = b""
            for raw in hj212.stream().feed(link.carry(heard.send)):
                request = hj212.parse(raw)
                if request.cn == hj212.MINUTE:
                    carried_out.add(request.qn)
                    back = _carried_out(request, group)
            heard = centre.take(link.carry(back), now, CLOCK)
            data += len(heard.telegrams)
            notes += [note for note in heard.notes if "was not asked" not in note]
            if centre.due_ms() is None:
                break
            now = centre.due_ms() or 0
            heard = centre.tick(now, CLOCK)
            notes += heard.notes
        assert centre.due_ms() is None
        assert data <= len(carried_out) <= TRIES
        done, failed = done + (not notes), failed + bool(notes)
    assert done > SEEDS // 2
    assert failed > 5


def _carried_out(request: hj212.Packet, group: hj212.Group) -> bytes:
    """Return the three steps of a logger's answer."""
    known = hj212.answer(request, hj212.REQUEST_ACK, [[("QnRtn", "1")]])
    values = hj212.Packet("32", request.cn, MN, [group], request.qn, request.pw, 4)
    ended = hj212.answer(request, hj212.RESULT, [[("ExeRtn", "1")]])
    return b"".join([hj212.build(one) for one in (known, values, ended)])


def test_a_confirmation_is_never_given_for_a_damaged_report() -> None:
    frame, checked = _report(7, "14.420"), 0
    for place in range(8 * len(frame)):
        bad = bytearray(frame)
        bad[place >> 3] ^= 1 << (place & 7)
        heard = sl651_centre.Centre().take(bytes(bad), 0, CLOCK)
        assert (heard.telegrams, heard.send) == ([], b"")
        checked += 1
    packet = hj212.build(hj212.Packet("32", 2011, MN, [[("a", "1")]], "20160801085857223", "1", 5))
    for place in range(8 * len(packet)):
        bad = bytearray(packet)
        bad[place >> 3] ^= 1 << (place & 7)
        heard = hj212_centre.Centre().take(bytes(bad), 0, CLOCK)
        try:
            same = hj212.parse(bytes(bad)) == hj212.parse(packet)  # a digit in lower case
        except BadReply:
            same = False
        assert bool(heard.send) == bool(heard.telegrams) == same
        checked += 1
    assert checked == 8 * (len(frame) + len(packet))
