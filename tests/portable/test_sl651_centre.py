"""The centre of hydrological stations: confirms, joins, asks again, gives up, never doubles."""

from __future__ import annotations

from drivers.protocol import sl651
from drivers.protocol.sl651_centre import ANSWER_MS, PACKET_MS, Centre
from drivers.protocol.stream import Seen
from gateway.core.errors import ConfigError
from tests.portable.support import raised

STATION = "0012345678"
SENT = "2025-01-15T06:30:00"
CLOCK = "2025-01-15T06:31:07"
ITEMS = [("ST", [STATION, "H"]), ("TT", ["2025-01-15T06:30"]), ("Z", ["14.420"])]
JPEG = b"\xff\xd8" + bytes(range(256)) * 3 + b"\xff\xd9"


def report(serial=7, function=sl651.TIMED, items=ITEMS, sent=SENT, end=sl651.ETX, text=False):
    frame = sl651.Frame(STATION, function, b"", end, 2, "04d2", text=text)
    return sl651.report(frame, serial, sent, items)


def packets(text=False, size=256, jpeg=JPEG):
    items = ITEMS[:2] + [("PIC", jpeg)]
    whole = sl651.parse(report(9, sl651.PICTURE, items, text=text)).body
    parts = [whole[at : at + size] for at in range(0, len(whole), size)]
    made = []
    for at, part in enumerate(parts):
        end = sl651.ETX if at + 1 == len(parts) else sl651.ETB
        frame = sl651.Frame(STATION, sl651.PICTURE, part, end, 2, "04d2", text=text)
        frame.packets, frame.packet = len(parts), at + 1
        made.append(sl651.build(frame))
    return made


def answers(heard):
    cut = sl651.stream().feed(heard.send)
    assert b"".join(cut) == heard.send
    return [sl651.parse(frame) for frame in cut]


def test_a_published_confirmation_is_given_byte_for_byte():
    [asked, answered] = [
        "7e7e02001234567804d2330025020008141205105002f1f1001234567848f0f0141205105020190001002619"
        "000100381212200317b4",
        "7e7e00123456780204d23380080200081412051050021ba2ee",
    ]
    heard = Centre(online=True).take(bytes.fromhex(asked), 0)
    assert heard.send.hex() == answered
    assert [one.items[-1] for one in heard.telegrams] == [("VT", ["12.20"])]


def test_a_report_is_confirmed_each_time_and_told_once():
    for text in (False, True):
        centre = Centre()
        told = 0
        for _ in range(3):
            heard = centre.take(report(text=text), 0, CLOCK)
            told += len(heard.telegrams)
            [answer] = answers(heard)
            assert (answer.end, answer.up, answer.serial) == (sl651.EOT, False, 7)
            assert (answer.sent, answer.centre, answer.password) == (CLOCK, 2, "04d2")
        later = report(sent="2025-01-15T06:30:40", text=text)  # §6.6.2.4: its number stays
        told += len(centre.take(later, 0, CLOCK).telegrams)
        assert told == 1
        assert len(centre.take(report(8, text=text), 0, CLOCK).telegrams) == 1


def test_a_report_repeated_on_the_next_connection_is_confirmed_and_not_told():
    seen = Seen()
    first = Centre(seen=seen).take(report(), 0, CLOCK)
    second = Centre(seen=seen).take(report(), 0, CLOCK)
    assert (len(first.telegrams), len(second.telegrams)) == (1, 0)
    assert first.send == second.send


def test_more_to_follow_is_acknowledged_and_a_heartbeat_is_not():
    centre = Centre()
    [answer] = answers(centre.take(report(end=sl651.ETB), 0, CLOCK))
    assert answer.end == sl651.ACK
    heard = centre.take(report(7, sl651.HEARTBEAT, []), 0, CLOCK)
    assert heard.send == b""
    assert [one.control for one in heard.telegrams] == [sl651.HEARTBEAT]


def test_one_way_channels_and_strangers_get_no_answer():
    heard = Centre(answers=False).take(report(), 0, CLOCK)
    assert (len(heard.telegrams), heard.send) == (1, b"")
    strict = Centre(lambda station: station == "0000000001")
    heard = strict.take(report(), 0, CLOCK)
    assert (heard.telegrams, heard.send) == ([], b"")
    assert "not allowed" in heard.notes[0]
    echo = sl651.build(sl651.Frame(STATION, 0x37, sl651.head(0, SENT), sl651.ENQ, up=False))
    assert "gives back" in strict.take(echo, 0).notes[0]


def test_packets_are_joined_in_any_order_and_confirmed_once():
    for text in (False, True):
        for order in ((0, 1, 2, 3), (1, 0, 2, 3), (2, 1, 0, 3), (0, 0, 1, 2, 3)):
            parts = packets(text)
            assert len(parts) == 4
            centre, telegrams, sent = Centre(), [], []
            for at in order:
                heard = centre.take(parts[at], 0, CLOCK)
                telegrams += heard.telegrams
                sent += answers(heard)
            assert [one.items[-1] for one in telegrams] == [("PIC", JPEG)]
            assert [(one.end, one.packets, one.packet) for one in sent] == [(sl651.EOT, 4, 4)]
            assert sent[0].body[:2] == (b"00" if text else b"\x00\x09")
            again = centre.take(parts[3], 0, CLOCK)
            assert again.telegrams == []
            assert [one.packet for one in answers(again)] == [4]
            assert centre.due_ms() is None


def test_missing_packets_are_asked_for_one_by_one():
    parts = packets()
    centre = Centre()
    centre.take(parts[0], 0, CLOCK)
    [nak] = answers(centre.take(parts[3], 5, CLOCK))
    assert (nak.end, nak.packet, nak.packets) == (sl651.NAK, 2, 4)
    resent = sl651.parse(parts[1])
    resent.end = sl651.ETX  # §6.3.1.2: a packet sent again ends with ETX
    [nak] = answers(centre.take(sl651.build(resent), 10, CLOCK))
    assert nak.packet == 3
    heard = centre.take(parts[2], 20, CLOCK)
    assert [one.items[-1][0] for one in heard.telegrams] == ["PIC"]
    assert [one.end for one in answers(heard)] == [sl651.EOT]


def test_a_last_packet_that_never_comes_is_asked_for_twice_then_given_up():
    centre = Centre()
    for part in packets()[:3]:
        assert centre.take(part, 0, CLOCK).send == b""
    now, asked = 0, 0
    while centre.due_ms() is not None:
        assert centre.due_ms() == now + PACKET_MS
        now = centre.due_ms()
        assert centre.tick(now - 1, CLOCK).send == b""
        heard = centre.tick(now, CLOCK)
        asked += len(answers(heard))
    assert asked == 2
    assert "packet 4 of 4 never came" in heard.notes[0]


def test_two_pictures_are_never_mixed():
    centre = Centre()
    first, second = packets(), packets(jpeg=bytes(reversed(JPEG)))
    centre.take(first[0] + first[1], 0, CLOCK)
    found = []
    for part in second:
        found += centre.take(part, 10, CLOCK).telegrams
    assert [one.items[-1] for one in found] == [("PIC", bytes(reversed(JPEG)))]


def test_what_is_joined_is_bounded():
    centre = Centre(join_max=600)
    notes = []
    for part in packets():
        notes += centre.take(part, 0, CLOCK).notes
    assert "more than 600 bytes" in notes[0]
    for number in range(200):
        frame = sl651.Frame(f"{number:010}", sl651.TIMED, b"", sl651.ETX)
        centre.take(sl651.report(frame, 1, SENT, []), number)
    assert len(centre._stations) <= 64


def test_a_question_goes_to_a_station_that_was_heard_and_its_answer_is_confirmed():
    centre = Centre()
    centre.ask(STATION, sl651.QUERY)
    assert centre.tick(0, CLOCK).send == b""
    [confirmed, asked] = answers(centre.take(report(), 100, CLOCK))
    assert confirmed.end == sl651.ESC  # stay: there is a question
    assert (asked.end, asked.function, asked.serial) == (sl651.ENQ, sl651.QUERY, 0)
    heard = centre.take(report(8, sl651.QUERY), 200, CLOCK)
    assert [one.control for one in heard.telegrams] == [sl651.QUERY]
    assert [one.end for one in answers(heard)] == [sl651.EOT]
    assert centre.due_ms() is None


def test_a_question_without_an_answer_is_put_three_times():
    centre = Centre(online=True)
    centre.take(report(), 0, CLOCK)
    centre.ask(STATION, sl651.VERSION)
    centre.ask(STATION, sl651.STATUS)
    sent, now, notes = [], 0, []
    for _ in range(9):
        heard = centre.tick(now, CLOCK)
        sent += [one.function for one in answers(heard)]
        notes += heard.notes
        now += ANSWER_MS
    assert sent == [sl651.VERSION] * 3 + [sl651.STATUS] * 3
    assert notes == [f"station {STATION} does not answer {code}" for code in ("45", "46")]
    for _ in range(8):
        centre.ask(STATION, sl651.STATUS)
    raised(ConfigError, centre.ask, STATION, sl651.STATUS)


def test_a_clock_is_set_only_by_a_clock():
    centre = Centre()
    centre.take(report(), 0)
    centre.set_clock(STATION)
    assert centre.tick(1).send == b""
    [told] = answers(centre.tick(2, CLOCK))
    assert (told.function, told.sent, told.end) == (sl651.SET_CLOCK, CLOCK, sl651.ENQ)
    heard = centre.take(report(3, sl651.SET_CLOCK, ITEMS[:1]), 3, CLOCK)
    assert [(one.function, one.sent) for one in answers(heard)] == [(sl651.SET_CLOCK, CLOCK)]


def test_without_a_clock_a_station_hears_its_own_time():
    [answer] = answers(Centre().take(report(), 0))
    assert (answer.sent, answer.serial) == (SENT, 7)
    centre = Centre()
    for part in packets()[1:]:
        heard = centre.take(part, 0)
    [nak] = answers(heard)  # the first packet, which has number and time, is the one that lacks
    assert (nak.packet, nak.end, nak.body) == (1, sl651.NAK, bytes(8))
