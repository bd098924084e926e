"""The keyboard of a simulated device, and what it tells of what happens."""

from __future__ import annotations

import json
import re

import pytest

from gateway.__main__ import main
from gateway.core.decimal import parse
from gateway.core.errors import ConfigError
from tools.profile.live.console import Console, Teller, chosen, value_of
from tools.sim.faults import Faults
from tools.sim.sensors import sensor


class Desk:
    """A console with everything it moves."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.held: list[tuple[str, object]] = []
        self.ended = 0
        self.console = Console(self.faults, self.hold, self.end, Teller(is_json=False))

    def hold(self, name: str, value: object) -> None:
        if name == "bad":
            raise ConfigError("bad cannot be set")
        self.held.append((name, value))

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("key", "told"),
    [("n", "noise=0.02"), ("s", "silence=1"), ("d", "delay=0.3"), ("x", "exception=4")],
)
def test_key_switches_a_fault_on_and_off(desk: Desk, key: str, told: str, capsys) -> None:
    desk.console.feed(key)
    assert str(desk.faults) == told
    desk.console.feed(f"\n{key}\n")
    assert str(desk.faults) == ""
    assert capsys.readouterr().out == f"faults: {told}\nfaults: none\n"


def test_keys_set_values_and_survive_mistakes(desk: Desk, capsys) -> None:
    desk.console.feed("v level = 2.5\nv door=true\nv sta")
    desk.console.feed("ze\x7f\x7fte=open\n")
    assert desk.held == [("level", parse("2.5")), ("door", True), ("state", "open")]
    desk.console.feed("v bad=1\nv nothing\n?")
    said = capsys.readouterr().out
    assert "bad cannot be set" in said
    assert "write v CHANNEL=VALUE" in said
    assert "q quit" in said
    desk.console.feed("q")
    assert desk.ended == 1


def test_value_is_read_as_people_write_it() -> None:
    assert [value_of(text) for text in ("true", "12", "-0.5", "open", "-")] == [
        True,
        12,
        parse("-0.5"),
        "open",
        "-",
    ]
    assert chosen(["density=1025", "filter=slow"]) == {"density": 1025, "filter": "slow"}
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        chosen(["density"])


def test_teller_shows_people_each_request_once_and_machines_every_one(capsys) -> None:
    for is_json, lines in ((False, 6), (True, 5)):
        teller = Teller(is_json)
        teller.exchanged(b"\x01\x03", b"\x01\x83", "registers")
        teller.exchanged(b"\x01\x03", b"\x01\x84", "registers")
        teller.exchanged(b"M!\r\n", None, "nobody")
        teller.exchanged(b"", b"BM\x00", "the message")
        teller.exchanged(b"", b"BM\x01", "the message")
        assert teller.exchanges == 5
        said = capsys.readouterr().out.splitlines()
        assert len(said) == (lines if is_json else 5)
        if is_json:
            assert json.loads(said[2]) == {
                "event": "request",
                "request": b"M!\r\n".hex(),
                "answer": None,
                "source": "nobody",
            }
        else:
            assert said[:3] == ["→ 01 03", "← 01 83  (registers)", r"→ 'M!\r\n'"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--port", "ble"], "no Bluetooth transport yet"),
        (["--port", "tcp:x"], "write tcp:PORT"),
        (["--port", "usb"], "pty, pty:LINK or tcp:PORT"),
        (["--fault", "nois"], "is none of"),
        (["--for", "5"], "no length of time"),
        (["--set", "x"], "NAME=VALUE"),
    ],
)
def test_simulate_refuses_what_cannot_be_in_words(arguments, why, tmp_path, capsys) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: P\nmodbus: {}\nchannels: {a: {at: 0}}\n"
        'tests: [{holding: {0: "0001"}, gives: {a: 1}}]\n'
    )
    assert main(["profile", "simulate", str(path), *arguments]) == 78
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bus", "why"),
    [
        ("ble: {manufacturer: 0x0499, length: 2}", "Bluetooth transport, which is still to come"),
        ("driver: {use: drivers.own}", "only its own module knows"),
    ],
)
def test_simulate_and_try_refuse_a_bus_nobody_can_play(bus, why, tmp_path, capsys) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        f"name: P\n{bus}\nchannels: {{a: {{at: 0}}}}\n"
        "tests: [{received: 01 02, gives: {a: 1}}]\n"
    )
    assert main(["profile", "simulate", str(path)]) == 78
    assert why in capsys.readouterr().err
    assert main(["profile", "try", str(path), "/dev/null"]) == 78
    assert "this version cannot try" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("abc", "level is a number, not 'abc'"),
        ("1000000", "level can be -3267.8..3285.7, not 1000000"),
        ("-1e9", "level can be -3267.8..3285.7, not"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_the_unit_of_the_channel(typed, why, tmp_path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "name: P\nmodbus: {}\n"
        "channels: {level: {at: 0, type: s16, scale: 0.1, offset: 9, unit: m}}\n"
        'tests: [{holding: {0: "0001"}, gives: {level: 9.1}}]\n'
    )
    played = sensor(path)
    with pytest.raises(ConfigError, match=re.escape(why)):
        played.hold("level", value_of(typed))
    played.hold("level", value_of("-3267.8"))
