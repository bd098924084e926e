"""The paced line without any port: when what reaches the master, for each thing that is odd."""

from __future__ import annotations

import asyncio

import pytest

from drivers.line import Line, silence_us
from drivers.protocol import ascii as ascii_frames
from drivers.protocol import pdu, rtu
from gateway.core.errors import BadReply, ConfigError, LinkError, NoReply
from tests.support import virtual
from tools.sim import paced
from tools.sim.faults import Faults
from tools.sim.modbus import Slave
from tools.sim.paced import FULL, Habits, PacedLine
from tools.sim.paced_cli import higher
from tools.sim.paced_port import Lateness, PacedTransport
from tools.sim.wire import Coding, Wire

BAUD = 9600
CHAR_US = 11e6 / BAUD
SILENCE_US = 3.5 * CHAR_US
READ = pdu.read(3, 0, 10)
REQUEST = rtu.frame(1, READ.encode())
REPLY = rtu.frame(1, b"\x03\x14" + pdu.from_words(range(100, 110)))


def slave():
    return Slave({unit: {"holding": {at: 100 + at for at in range(200)}} for unit in (1, 2, 3)})


def line(baud=BAUD, **more):
    return paced.line(slave().answer, baud, **more)


def play(one, until_us, step=None):
    """Take at the times the line asks for, or every `step`; return [(when, bytes)]."""
    found, at_us = one.take(0), 0.0
    while at_us < until_us:
        at_us = min(until_us, at_us + step if step else one.next_us())
        found += one.take(at_us)
    return found


def heard(found):
    return b"".join(data for _, data in found)


@pytest.mark.parametrize("baud", [1200, 9600, 19200, 115200])
@pytest.mark.parametrize("step", [None, 777.0])
def test_paced_n_exchanges_take_exactly_the_time_of_their_bits(baud, step):
    one, coding, now_us, count = line(baud), Coding(baud), 0.0, 50
    for _ in range(count):
        one.write(REQUEST, now_us)
        end_us = now_us + coding.time_us(8 + 25) + coding.silence_us
        found = []
        at_us = now_us
        while len(heard(found)) < 25:
            at_us = at_us + step if step else one.next_us()
            found += one.take(at_us)
        assert heard(found) == REPLY
        assert found[-1][0] == pytest.approx(end_us, abs=0.01)
        now_us = end_us + coding.silence_us
    exact_us = count * (33 * 11e6 / baud + 2 * coding.silence_us)
    assert now_us == pytest.approx(exact_us, abs=0.01)
    assert one.wire.sent == count * 33
    assert one.wire.collisions == 0


def test_paced_what_the_host_hands_over_early_leaves_back_to_back():
    one = line()
    one.write(REQUEST[:3], 0.0)
    one.write(REQUEST[3:], 1.0)
    found = play(one, 1e5)
    assert heard(found) == REPLY
    assert found[-1][0] == pytest.approx(33 * CHAR_US + SILENCE_US)


def test_paced_a_request_with_a_pause_in_it_is_none():
    one = line()
    one.write(REQUEST[:3], 0.0)
    one.write(REQUEST[3:], 3 * CHAR_US + SILENCE_US + 10)
    assert play(one, 1e6) == []
    one.write(REQUEST, 1e6)
    assert heard(play(one, 2e6)) == REPLY


def test_paced_ascii_ends_with_its_line_and_bears_pauses():
    request, reply = ascii_frames.frame(1, READ.encode()), ascii_frames.frame(1, REPLY[1:-2])
    one = line(framing="ascii")
    for round_us in (0.0, 1e6):
        one.write(request[:5], round_us)
        one.write(request[5:], round_us + 500_000)
        found = play(one, round_us + 999_000)
        assert heard(found) == reply
        assert found[-1][0] - round_us == pytest.approx(5e5 + CHAR_US * (len(request) - 5 + 51))


def test_paced_turnaround_and_jitter_lie_where_they_should():
    one = line(habits=Habits(turnaround_us=5000, jitter_us=3000), seed=2)
    delays = []
    for number in range(200):
        one.write(REQUEST, number * 1e6)
        found = play(one, (number + 0.9) * 1e6)
        delays.append(found[-1][0] - number * 1e6 - 33 * CHAR_US - SILENCE_US)
    assert 5000 <= min(delays) < 5100
    assert 7900 < max(delays) <= 8000
    assert 6300 < sum(delays) / 200 < 6700


def test_paced_a_dead_unit_says_nothing_and_a_late_one_says_it_late():
    one = line(habits=Habits(late_ms={2: 700.0}))
    one.write(rtu.frame(9, READ.encode()), 0.0)
    assert play(one, 1e6) == []
    one.write(rtu.frame(2, READ.encode()), 1e6)
    found = play(one, 2e6)
    assert len(heard(found)) == 25
    assert found[-1][0] == pytest.approx(1.7e6 + 33 * CHAR_US + SILENCE_US)


def test_paced_two_units_with_one_address_collide_or_both_answer():
    replies = []
    for lag_ms in (0.0, 1.0, 100.0):
        one = line(habits=Habits(twins_ms={1: lag_ms}), twin=higher(slave().answer))
        one.write(REQUEST, 0.0)
        replies.append(heard(play(one, 1e6)))
        assert one.wire.collisions == (lag_ms < 100)
        assert one.counts["replies"] == 2
    other = rtu.frame(1, b"\x03\x14" + pdu.from_words(range(101, 111)))
    assert REPLY not in replies[0]
    assert replies[0] != other
    assert REPLY not in replies[1]
    assert replies[2] == REPLY + other


def test_paced_no_unit_takes_its_own_reply_for_a_request_but_a_twin_does():
    write = rtu.frame(1, pdu.write_register(5, 7).encode())  # the reply to it is the same frame
    one = line()
    one.write(write, 0.0)
    assert heard(play(one, 1e6)) == write
    twins = line(habits=Habits(twins_ms={1: 100.0}))
    twins.write(write, 0.0)
    assert heard(play(twins, 1e6)).count(write) > 2  # as two such units do in life


def test_paced_an_echo_is_heard_at_the_time_of_its_bytes():
    one = line(habits=Habits(echo=True))
    one.write(REQUEST, 0.0)
    found = play(one, 1e6)
    assert heard(found) == REQUEST + REPLY
    assert found[0] == (pytest.approx(CHAR_US), REQUEST[:1])
    assert found[7][0] == pytest.approx(8 * CHAR_US)


def test_paced_an_adapter_with_a_latency_timer_hands_over_at_its_ticks_or_when_full():
    one = line(habits=Habits(lump_ms=16.0))
    one.write(REQUEST, 0.0)
    found = play(one, 1e6)
    assert heard(found) == REPLY
    assert len(found) == 3
    assert all(at_us % 16000 == 0 for at_us, _ in found)
    fast = line(115200, habits=Habits(lump_ms=16.0))
    fast.write(rtu.frame(1, pdu.read(3, 0, 100).encode()), 0.0)
    sizes = [len(data) for _, data in play(fast, 1e6)]
    assert sizes[:2] == [FULL, FULL]
    assert sum(sizes) == 205


def test_paced_above_one_millisecond_characters_come_one_by_one_and_faster_ones_in_groups():
    for baud, groups in ((9600, 25), (115200, 3)):
        one = line(baud)
        one.write(REQUEST, 0.0)
        found = play(one, 1e6)
        assert len(found) == groups
        assert found[-1][0] == pytest.approx(33 * 11e6 / baud + Coding(baud).silence_us)


def test_paced_who_babbles_talks_about_as_often_as_said_and_spoils_what_he_hits():
    one = line(habits=Habits(babble_ms=150.0), seed=4)
    frames = []
    one.told = frames.append
    good = 0
    for number in range(100):
        one.write(REQUEST, number * 1e5)
        good += REPLY in heard(play(one, number * 1e5 + 99_000))
    babble = [frame for frame in frames if frame["from"] == "babbler"]
    assert 62 < len(babble) < 71
    assert one.wire.collisions > 20
    assert 40 < good < 90


def test_paced_a_second_master_asks_and_is_answered():
    frames = []
    one = line(habits=Habits(master_ms=200.0), told=frames.append)
    found = heard(play(one, 1e7))
    asked = [bytes.fromhex(one["hex"]) for one in frames if one["from"] == "second master"]
    assert 45 < len(asked) < 55
    assert len({request[0] for request in asked}) == 3
    assert found.startswith(asked[0] + rtu.frame(asked[0][0], b"\x03\x02\x00\x64"))


@pytest.mark.parametrize(("checks", "lost"), [(False, False), (True, True)])
def test_paced_what_the_uart_finds_wrong_is_counted_and_read_as_the_port_says(checks, lost):
    wire = Wire(Coding(BAUD, "even"))
    one = PacedLine(slave().answer, wire, habits=Habits(checks=checks))
    one.write(REQUEST, 0.0)
    one.take(9 * CHAR_US)
    wire._noise = lambda _: [11 * 4 + 3]  # a data bit of the reply's fifth character
    found = heard(play(one, 1e6))
    assert one.counts["parity"] == 1
    assert found[4] == (0 if lost else REPLY[4] ^ 4)
    assert found[:4] + REPLY[4:5] + found[5:] == REPLY


def test_paced_named_faults_work_as_on_any_simulated_line():
    one = line(faults=Faults("exception=2", "echo", "delay=0.1"))
    one.write(REQUEST, 0.0)
    found = play(one, 1e6)
    assert heard(found) == REQUEST + rtu.frame(1, b"\x83\x02")
    assert found[-1][0] == pytest.approx(1e5 + 13 * CHAR_US + SILENCE_US)
    with pytest.raises(ConfigError):
        line(framing="tcp")


def test_paced_our_own_line_talks_over_it_in_virtual_time():
    async def story():
        one = line(bit_errors=1e-3, seed=3, habits=Habits(echo=True, lump_ms=16.0, babble_ms=900))
        wired = Line(PacedTransport(one).open, silence_us(BAUD))
        good = bad = 0
        for _ in range(300):
            try:
                reply = await wired.exchange(REQUEST, rtu.ReplyReader(1, READ), 300)
                assert pdu.words(READ.parse(reply)) == [*range(100, 110)]
                good += 1
            except (NoReply, BadReply):
                bad += 1
        wired.close()
        return good, bad, wired.echoes

    good, bad, echoes = virtual.run(story())
    assert good > 150
    assert bad > 50
    assert echoes is None  # closed: the next adapter may be another


def test_paced_in_virtual_time_exchanges_take_their_bits_and_nothing_more():
    async def story():
        wired = Line(PacedTransport(line()).open, silence_us(BAUD))
        loop = asyncio.get_running_loop()
        for _ in range(2):
            start_s = loop.time()
            for _ in range(100):
                await wired.exchange(REQUEST, rtu.ReplyReader(1, READ), 300)
        return loop.time() - start_s

    exact_s = 100 * (33 * CHAR_US + 2 * SILENCE_US) / 1e6
    assert exact_s <= virtual.run(story()) <= exact_s * 1.001


def test_paced_a_closed_transport_says_so():
    async def story():
        port = await PacedTransport(line()).open()
        port.close()
        with pytest.raises(LinkError):
            await port.write(b"x")
        with pytest.raises(LinkError):
            await port.read(1)

    virtual.run(story())


def test_lateness_knows_its_shares_to_a_fifth():
    late = Lateness()
    assert late.within_us(0.5) == 0
    for us in range(1, 1001):
        late.add(us)
    assert 500 <= late.within_us(0.5) <= 595
    assert 990 <= late.within_us(0.99) <= 1000
    assert late.most_us == 1000


def test_paced_a_line_on_which_all_talk_at_once_ends_in_time_and_in_nothing():
    one = line(habits=Habits(babble_ms=1.0, master_ms=1.0), seed=3)
    for number in range(40):
        one.write(REQUEST, number * 5e4)
        assert REPLY not in heard(play(one, number * 5e4 + 49_000))
    assert one.wire.collisions > 100
    with pytest.raises(ConfigError):
        line(habits=Habits(babble_ms=0.1))
