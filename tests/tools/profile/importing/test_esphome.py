"""ESPHome's modbus_controller items: types, masks, filters, lambdas; the devices are made up."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import lost, profile, proves
from tools.profile.importing import esphome, formula

HEAD = """\
substitutions:
  device: Pump station
  tenth: "0.1"
esphome:
  name: pump
  friendly_name: ${device} 1
uart:
  - id: bus
    baud_rate: 19200
    parity: EVEN
    stop_bits: 2
modbus_controller:
  - id: pump
    address: 0x05
    update_interval: 10s
    command_throttle: 20ms
"""
ITEMS = """\
sensor:
  - platform: wifi_signal
    name: ignored
  - platform: modbus_controller
    modbus_controller_id: pump
    name: "${device} Pressure"
    register_type: read
    address: 0x10
    value_type: S_WORD
    unit_of_measurement: bar
    filters:
      - offset: 5
      - multiply: ${tenth}
      - throttle: 5s
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Flow
    register_type: holding
    address: 20
    offset: 2
    value_type: FP32_R
    skip_updates: 5
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Energy
    id: energy
    register_type: holding
    address: 30
    value_type: U_DWORD
    filters:
      - lambda: return x * 0.01f;
      - filter_out: nan
  - platform: modbus_controller
    modbus_controller_id: pump
    name: High byte
    register_type: holding
    address: 40
    value_type: U_WORD
    bitmask: 0xFF00
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Holes
    register_type: holding
    address: 41
    value_type: U_WORD
    bitmask: 0x00F3
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Ratio
    register_type: holding
    address: 42
    value_type: U_WORD
    lambda: "return x > 100 ? id(energy).state / x : 0.0;"
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Program
    register_type: holding
    address: 43
    value_type: U_WORD
    lambda: |-
      float sum = 0;
      for (int i = 0; i < 3; i++) sum += data[i];
      return sum;
binary_sensor:
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Door
    register_type: discrete_input
    address: 3
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Dry run
    register_type: holding
    address: 50
    bitmask: 0x0004
    filters:
      - invert
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Any fault
    register_type: holding
    address: 51
number:
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Set point
    register_type: holding
    address: 60
    value_type: S_WORD
    multiply: 10
    min_value: -5
    max_value: 80
switch:
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Run
    register_type: coil
    address: 1
select:
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Mode
    address: 70
    optionsmap:
      "Off": 0
      "Auto": 2
text_sensor:
  - platform: modbus_controller
    modbus_controller_id: pump
    name: Serial
    register_type: holding
    address: 80
    register_count: 2
  - platform: modbus_controller
    modbus_controller_id: pump
    name: State
    register_type: holding
    address: 90
    lambda: |-
      uint16_t value = modbus_controller::word_from_hex_str(x, 0);
      switch (value) {
        case 0: return std::string("Idle");
        case 0x05: return std::string("Running");
        default: return std::string("?");
      }
"""


def test_items_become_channels_that_mean_the_same() -> None:
    (draft,) = esphome.read(HEAD + ITEMS, "pump.yaml")
    text = proves(
        draft,
        """\
tests:
  - input: {0x10: FFCE}
    gives: {pressure: -4.5}
  - holding:
      21: 0000 4248
      30: 0000 2710
      40: 1234 00F3 0FA0
      50: 0000 0008
      60: FFCE
      70: 0002
      80: 4142 4300
      90: 0005
    gives:
      flow: 50
      energy: 100
      high_byte: 18
      holes: 243
      ratio: 0.025
      dry_run: true
      any_fault: true
      set_point: -5
      mode: Auto
      serial: ABC
      state: Running
  - holding: {50: 0004 0000}
    gives: {dry_run: false, any_fault: false}
  - discrete: {3: "1"}
    gives: {door: true}
  - write: {set_point: 7.5}
    sends: 05 06 003C 004B 0875
  - write: {run: true}
    sends: 05 05 0001 FF00 DC7E
  - write: {mode: "Off"}
    sends: 05 06 0046 0000 699B
""",
    )
    assert "name: Pump station 1" in text
    assert "every: 10s" in text
    assert "modbus: {baud: 19200, parity: even, stop: 2, pause: 20ms, unit: 5}" in text
    assert "energy:    {at: 30, type: u32, scale: 0.01}" in text
    assert "high_byte: {at: 40, bits: 8..15}" in text
    assert "flow:      {at: 21, type: f32, order: CDAB, every: 1m}" in text
    lines = (HEAD + ITEMS).splitlines()
    ((line, what, reason),) = lost(draft)
    assert (what, reason) == ("Program", "a lambda of more than one formula")
    assert lines[line - 1] == "  - platform: modbus_controller"
    assert lines[line + 1].endswith("Program")


def test_a_number_beside_its_sensor_makes_the_one_channel_writable() -> None:
    pair = """\
modbus_controller: {address: 1}
sensor:
  - {platform: modbus_controller, name: Level, register_type: holding, address: 5}
number:
  - {platform: modbus_controller, name: Level set, register_type: holding, address: 5,
     min_value: 0, max_value: 9}
"""
    (draft,) = esphome.read(pair, "pair.yaml")
    assert [entry.id for entry in draft.channels] == ["level"]
    assert "level: {at: 5, write: {min: 0, max: 9}}" in profile(draft)


def test_each_controller_is_a_draft_of_its_own() -> None:
    text = """\
modbus_controller:
  - {id: one, address: 1}
  - {id: two, address: 2}
sensor:
  - {platform: modbus_controller, modbus_controller_id: one, name: A b, address: 1}
  - {platform: modbus_controller, modbus_controller_id: two, name: A b, address: 1}
packages: !include other.yaml
"""
    one, two = esphome.read(text, "two.yaml")
    assert (one.bus.get("unit"), two.bus.get("unit")) == (None, 2)
    assert lost(one) == [(7, "packages", "another file: import it too")]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("address: 1, custom_command: [1]", "a command of its own, not a register"),
        ("address: 1, offset: 1", "it starts in the middle of a register"),
        ("address: here", "register None here"),
        ("address: 1, value_type: X_WORD", "value_type X_WORD with a lambda"),
        ("address: 1, filters: [lambda: 'if (x) return 1; return 0;']", "a lambda of more"),
    ],
)
def test_items_that_cannot_be_carried(item: str, reason: str) -> None:
    text = f"sensor:\n  - {{platform: modbus_controller, name: N n, {item}}}\n"
    (draft,) = esphome.read(text, "t.yaml")
    assert not draft.channels
    ((line, what, told),) = lost(draft)
    assert (line, what) == (2, "N n")
    assert told.startswith(reason)


def test_what_smooths_is_silent_and_what_changes_the_value_is_told() -> None:
    text = """\
sensor:
  - platform: modbus_controller
    name: Level
    address: 1
    filters: [median: {window_size: 5}, calibrate_linear: [0.0 -> 1.0], clamp: {max_value: 9},
              round: 1, filter_out: 65535]
"""
    (draft,) = esphome.read(text, "t.yaml")
    assert lost(draft) == [(2, "Level", "filter calibrate_linear")]
    assert "level: {at: 1, none: 0xFFFF, round: 1, valid: ..9}" in profile(draft)


@pytest.mark.parametrize("text", ["[]", "sensor: []", "a: b", "sensor: {platform: dht}"])
def test_a_configuration_without_modbus_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"t\.yaml: no "):
        esphome.read(text, "t.yaml")


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("return x;", "x"),
        ("return x * 0.1f; // volts", "x * 0.1"),
        ("return (x - 400) / 10.0;", "(x - 400) / 10.0"),
        ("return x == 1 ? 5 : x == 2 ? 6 : 7;", "5 if x == 1 else 6 if x == 2 else 7"),
        ("return (x > 3 && !(x == 4)) ? -1 : 1;", "-1 if (x > 3 and not (x == 4)) else 1"),
        ("return abs(x);", "abs(x)"),
        ("return id(other).state * x;", "other_channel * x"),
        ("return (uint16_t) x >> 8;", "x >> 8"),
        ("return id(stranger).state;", ""),
        ("return foo(x);", ""),
        ("if (x) { return 1; } return 2;", ""),
        ("return x ? 1;", ""),
        ("return " + "x+" * 200 + "1;", ""),
        ("", ""),
    ],
)
def test_lambdas_of_one_formula(code: str, made: str) -> None:
    assert formula.expression(code, {"other": "other_channel"}) == made


@pytest.mark.parametrize(
    "code",
    [
        'switch (x & 3) { case 1: return {"A"}; case 2: return {"B"}; }',
        'if (data[4] == 1) return {"A"}; if (data[4] == 2) return {"B"};',
        'switch (x) { case 1: return {"A"}; }',
        'if (x >= 1) return {"A"}; switch (x) { case 2: return {"B"}; case 3: return {"C"}; }',
    ],
)
def test_words_of_part_of_a_register_are_not_taken_for_words_of_all(code: str) -> None:
    assert formula.labels(code) == {}


BARE = """\
modbus_controller:
  - id: rain_gauge
sensor:
  - platform: modbus_controller
    name: 水温
    register_type: holding
    address: 1
  - platform: modbus_controller
    modbus_controller_id: rain_gauge
    name: Tank
    register_type: holding
    address: 2
"""


def test_the_only_controller_has_the_items_that_name_none_and_names_the_device() -> None:
    (draft,) = esphome.read(BARE, "x.yaml")
    assert draft.name == "Rain gauge"
    assert [entry.id for entry in draft.channels] == ["water_temperature", "tank"]
    assert "title" not in draft.channels[0].keys
    (draft,) = esphome.read(
        BARE.replace("id: rain_gauge", "address: 3", 1).replace("rain_gauge", ""), "x"
    )
    assert draft.name == "ESPHome device"
    assert len(draft.channels) == 2
