"""Telegraf's inputs.modbus: three styles, its types and byte orders; the devices are made up."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import lost, profile, proves
from tools.profile.importing import telegraf

REGISTER = """\
[agent]
  interval = ${NOT_TOML}
[[inputs.modbus]]
  name = "Kessel"
  slave_id = 4
  timeout = "2s"
  controller = "file:///dev/ttyUSB0"
  baud_rate = 19200
  parity = "E"
  stop_bits = 1
  coils = [{ name = "burner", address = [0] }]
  discrete_inputs = [{ name = "door", address = [7] }]
  holding_registers = [
    { name = "Spannung L1", byte_order = "AB", data_type = "UFIXED", scale = 0.1, address = [0] },
    { name = "Spannung L2", byte_order = "AB", data_type = "UFIXED", scale = 0.1, address = [1] },
    { name = "power",   byte_order = "CDAB", data_type = "INT32",  scale = 1.0, address = [2, 3] },
    { name = "turned", byte_order="ABCD", data_type="FLOAT32-IEEE", scale=1.0, address=[5, 4] },
    { name = "serial",  byte_order = "AB", data_type = "STRING", address = [10, 11] },
    { name = "alarm",   byte_order = "AB", data_type = "BIT", bit = 3, address = [12] },
    { name = "low",     byte_order = "AB", data_type = "INT8L", scale = 1.0, address = [13] },
    { name = "holes",   byte_order = "ABCD", data_type = "INT32", scale = 1.0, address = [20, 22] },
    { name = "doubt", byte_order="ABCD", data_type="FLOAT32", scale=1.0, address=[24, 25] },
  ]
  input_registers = [
    { name = "level", byte_order = "AB", data_type = "INT16", scale = 0.001, address = [9] },
  ]
[[outputs.file]]
  files = [
"""
OTHERS = """\
[[inputs.modbus]]
  controller = "tcp://localhost:502"
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 1
    byte_order = "DCBA"
    register = "input"
    fields = [
      { address = 0, name = "flow", type = "FLOAT32" },
      { address = 2, name = "left out", type = "INT16", omit = true },
      { address = 3, name = "label", type = "STRING", length = 2 },
    ]
    [inputs.modbus.request.tags]
      place = "cellar"
  [inputs.modbus.workarounds]
    pause_between_requests = "20ms"
[[inputs.modbus]]
  configuration_type = "metric"
  [[inputs.modbus.metric]]
    slave_id = 2
    byte_order = "ABCD"
    fields = [
      { register = "coil", address = 1, name = "open" },
      { address = 5, name = "count", type = "UINT64", scale = 0.5 },
    ]
"""


def test_the_register_style() -> None:
    (draft,) = telegraf.read(REGISTER, "kessel.conf")
    text = proves(
        draft,
        """\
tests:
  - holding: {0: 08FC 08FD FFFE FFFF 0000 4248, 10: 4142 4300 0008 12FF}
    gives:
      voltage_l1: 230
      voltage_l2: 230.1
      power: -2
      turned: 50
      serial: ABC
      alarm: true
      low: -1
  - input: {9: 04D2}
    gives: {level: 1.234}
  - coil: {0: "1"}
    gives: {burner: true}
  - discrete: {7: "0"}
    gives: {door: false}
""",
    )
    assert "name: Kessel" in text
    assert "modbus: {baud: 19200, parity: even, timeout: 2s, unit: 4}" in text
    lines = REGISTER.splitlines()
    told = lost(draft)
    assert [(what, reason) for _, what, reason in told] == [
        ("holes", "registers that do not follow each other: [20, 22]"),
        ("doubt", "FLOAT32: older versions read a whole number, newer ones a float"),
    ]
    assert all(f'"{what}"' in lines[line - 1] for line, what, _ in told)


def test_the_request_and_the_metric_style() -> None:
    first, second = telegraf.read(OTHERS, "both.conf")
    text = proves(
        first,
        """\
tests:
  - input: {0: 0000 4842, 3: 4443 4241}
    gives: {flow: 50, label: ABCD}
""",
    )
    assert "left_out" not in text
    assert "pause: 20ms" in text
    proves(
        second,
        """\
tests:
  - holding: {5: 0000 0000 0000 0009}
    gives: {count: 4.5}
  - coil: {1: "1"}
    gives: {open: true}
""",
    )
    assert (first.name, second.name) == (" (address 1)", " (address 2)")


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ('address = [70000], data_type = "INT16", byte_order = "AB"', "address [70000]"),
        ('address = [1], data_type = "INT99", byte_order = "AB"', "type 'INT99' of 1 registers"),
        ('address = [1], data_type = "INT16", byte_order = "XY"', "byte order 'XY'"),
        ('address = [1], data_type = "BIT", bit = 16, byte_order = "AB"', "bit 16"),
        ('address = [1], data_type = "INT16", byte_order = "AB", scale = []', "scale []"),
    ],
)
def test_fields_that_cannot_be_carried(field: str, reason: str) -> None:
    text = f'[[inputs.modbus]]\nholding_registers = [{{ name = "n", {field} }}]\n'
    (draft,) = telegraf.read(text, "t.conf")
    assert not draft.channels
    assert lost(draft) == [(2, "n", reason)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[agent]\n", "no .*inputs.modbus"),
        ("[[inputs.modbus]]\nname = \n", "t.conf: not TOML"),
        ("[[inputs.modbus]]\na = " + "[" * 50_000, "t.conf: not TOML"),
        ("[inputs.modbus]\nrequest = 5\ncoils = 7\n", "no .*inputs.modbus"),
    ],
)
def test_what_is_no_such_configuration_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        telegraf.read(text, "t.conf")


def test_a_device_that_wants_one_request_per_field() -> None:
    text = REGISTER.replace("  coils", "  workarounds = { one_request_per_field = true }\n  coils")
    (draft,) = telegraf.read(text, "t.conf")
    assert "max: 1}" in profile(draft)
