"""evcc's templates: registers behind quantities, usages, calculations; the devices are made up."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import lost, profile, proves
from tools.profile.importing import evcc, gotemplate

TEMPLATE = """\
template: acme-hybrid
products:
  - brand: Acme
    description:
      generic: Hybrid 5
  - brand: Acme
    description:
      generic: Hybrid 6
params:
  - name: usage
    choice: ["grid", "pv", "battery"]
  - name: modbus
    choice: ["rs485", "tcpip"]
    baudrate: 19200
    comset: 8E1
    id: 3
  - name: endianness
    choice: ["big", "little"]
render: |
  type: custom
  {{- if eq .usage "grid" }}
  power:
    source: modbus
    {{- include "modbus" . | indent 2 }}
    register:
      address: 100 # total
      type: input
      decode: int32nan
    scale: -1
  currents:
    - source: modbus
      register: {address: 110, type: input, decode: uint16}
      scale: 0.01
    - source: modbus
      register: {address: 111, type: input, decode: uint16}
      scale: 0.01
    - source: modbus
      register: {address: 112, type: input, decode: uint16}
      scale: 0.01
  {{- end }}
  {{- if eq .usage "pv" }}
  power:
    source: calc
    add:
      - source: modbus
        register: {address: 200, type: holding, decode: uint16}
      - source: modbus
        register: {address: 201, type: holding, decode: uint16}
        scale: 10
      - source: const
        value: 5
  energy:
    source: modbus
    register:
      address: 0xD0
      type: holding
      decode: {{ if eq .endianness "big" }}float32{{ else }}float32s{{ end }}
  {{- end }}
  {{- if eq .usage "battery" }}
  soc:
    source: cached
    cache: 10s
    value:
      source: modbus
      register: {address: 300, type: holding, decode: uint16nan}
      scale: 0.1
  curtailed:
    source: go
    in:
      - name: mode
        type: int
        config:
          source: modbus
          register: {address: 310, type: holding, decode: uint16}
    script: mode == 1
  batterymode:
    source: switch
    switch:
      - case: 1
        set:
          source: const
          value: 0
          set:
            source: modbus
            register: {address: 320, type: writesingle, decode: int16}
  returnenergy:
    source: sunspec
    value: 203:TotWhExp
  {{- end }}
"""

CHARGER = """\
template: acme-box
products: [{brand: Acme, description: {en: Box}}]
params:
  - name: modbus
render: |
  type: custom
  enable:
    source: modbus
    register: {address: 10, type: writesingle, encoding: uint16}
  enabled:
    source: modbus
    register: {address: 10, type: holding, encoding: uint16}
  maxcurrent:
    source: modbus
    register: {address: 11, type: writemultiple, encoding: uint16}
    scale: 100
  temp:
    source: modbus
    id: 7
    register: {address: 5, type: input, encoding: int16}
"""


def test_every_usage_is_read_and_means_what_evcc_means() -> None:
    (draft,) = evcc.read(TEMPLATE, "acme.yaml", {})
    text = proves(
        draft,
        """\
tests:
  - input: {100: FFFF FC18, 110: 0064 00C8 012C}
    gives: {grid_power: 1000, grid_current_l1: 1, grid_current_l3: 3}
  - input: {100: 8000 0000}
    gives: {grid_power: null}
  - holding: {200: 0064 000A, 0xD0: 4248 0000, 300: 0258, 310: 0001}
    gives: {pv_power: 205, pv_energy: 50, battery_soc: 60, battery_curtailed_mode: 1}
  - write: {battery_batterymode_320: -2}
    sends: 03 06 0140 FFFE 4870
""",
    )
    assert draft.maker == "Acme"
    assert draft.models == ["Hybrid 5", "Hybrid 6"]
    assert "modbus: {baud: 19200, parity: even, unit: 3}" in text
    assert "grid_current_l[1..3]:" in text
    assert "kind: util.elec.power" in text
    assert "kind: util.battery.soc" in text
    assert "MIT" in text


def test_what_is_logic_is_told_with_its_line() -> None:
    (draft,) = evcc.read(TEMPLATE, "acme.yaml", {})
    lines = TEMPLATE.splitlines()
    told = lost(draft)
    assert [(what, reason) for _, what, reason in told] == [
        ("battery_curtailed", "a script in Go: its inputs are channels of their own"),
        ("battery_batterymode", "control logic (switch): its registers can be written"),
        ("battery_energy_charged", "SunSpec model point: import sunspec:MODEL"),
    ]
    assert [lines[line - 1].strip() for line, _, _ in told] == [
        "source: go",
        "source: switch",
        "source: sunspec",
    ]


def test_a_parameter_can_be_chosen() -> None:
    (draft,) = evcc.read(TEMPLATE, "acme.yaml", {"usage": "pv", "endianness": "little"})
    text = proves(draft, "tests:\n  - holding: {0xD0: 0000 4248}\n    gives: {energy: 50}\n")
    assert "grid" not in text


def test_devices_with_addresses_of_their_own_are_drafts_of_their_own() -> None:
    box, other = evcc.read(CHARGER, "box.yaml", {})
    proves(
        box,
        """\
tests:
  - holding: {10: 0001}
    gives: {enabled: true}
  - write: {enable: true}
    sends: 01 06 000A 0001 6808
  - write: {max_current: 16}
    sends: 01 10 000B 0001 02 0640 A57B
""",
    )
    text = proves(other, "tests:\n  - input: {5: FFFB}\n    gives: {temperature: -5}\n")
    assert "unit: 7" in text
    assert other.name == "Acme Box (address 7)"


@pytest.mark.parametrize(
    ("register", "reason"),
    [
        ("{address: x, type: holding, decode: uint16}", "an address or scale"),
        ("{address: 1, type: holding, decode: words}", "encoding 'words'"),
        ("{address: 1, type: fifo, decode: uint16}", "register type 'fifo'"),
        ("{address: 1, type: holding, decode: bool16, bitmask: 0x0006}", "a bool16 with other"),
        ("7", "no register"),
    ],
)
def test_registers_that_cannot_be_carried(register: str, reason: str) -> None:
    text = f"template: t\nrender: |\n  soc:\n    source: modbus\n    register: {register}\n"
    (draft,) = evcc.read(text, "t.yaml", {})
    assert not draft.channels
    ((line, what, told),) = lost(draft)
    assert (line, what) == (4, "soc")
    assert told.startswith(reason)


@pytest.mark.parametrize("text", ["a: 1", "- 1", "render: [1]", ""])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no evcc template"):
        evcc.read(text, "t.yaml", {})


def test_a_bit_and_a_coil() -> None:
    text = """\
template: t
render: |
  status:
    source: modbus
    register: {address: 1, type: holding, decode: bool16, bitmask: 0x0004}
  enabled:
    source: modbus
    register: {address: 2, type: coil, decode: bool8}
"""
    (draft,) = evcc.read(text, "t.yaml", {})
    proves(
        draft,
        """\
tests:
  - holding: {1: 0004}
    gives: {status: true}
  - coil: {2: "1"}
    gives: {enabled: true}
""",
    )


FILLED = [
    ("a {{ .x }} b", "a 5 b"),
    ('{{ if eq .x "5" }}yes{{ else }}no{{ end }}', "yes"),
    ('{{ if eq .x "6" }}a{{ else if .y }}b{{ else }}c{{ end }}', "c"),
    ('{{ if or (eq .x "6") (not .y) }}a{{ end }}', "a"),
    ("{{ if and .x .y }}a{{ end }}", ""),
    ("{{ $z := mulf .x 10.0 | int64 }}{{ $z }}", "50"),
    ("{{ add 325 (mul (int .x) 2) }}", "335"),
    ("{{ divf (maxf .x 1) 100 }}", "0.05"),
    ("{{ if gt 3 2 }}a{{ end }}{{ if lt 3 2 }}b{{ end }}", "a"),
    ("{{ .y | default 7 }}", "7"),
    ("{{/* remark */}}a", "a"),
    ("{{ if .off }}a{{ end }}", ""),
]


@pytest.mark.parametrize(("template", "text"), FILLED)
def test_templates_are_filled_in(template: str, text: str) -> None:
    filled = gotemplate.fill(template, {"x": "5", "y": "", "off": "false"})
    assert (filled.text, filled.lost) == (text, [])


@pytest.mark.parametrize(
    "template",
    [
        "{{ frobnicate 1 }}",
        "{{ range .x }}a{{ end }}",
        "{{ div 1 0 }}",
        "{{ eq }}",
        "{{ " + "(" * 50 + " }}",
        "{{ if .x }}" * 50,
    ],
)
def test_what_a_template_reader_does_not_know_is_lost_not_guessed(template: str) -> None:
    filled = gotemplate.fill("\n" + template, {"x": "5"})
    assert filled.lost
    assert "a" not in filled.text


def test_a_branch_not_taken_leaves_every_line_where_it_was() -> None:
    text = "one\n{{ if .x }}\ntwo\n{{ else }}\nthree\n{{ end }}\nfour"
    filled = gotemplate.fill(text, {})
    assert filled.text.split("\n")[4] == "three"
    assert filled.text.split("\n")[6] == "four"
    assert "two" not in filled.text


def test_a_draft_without_usage_needs_no_prefix() -> None:
    (draft,) = evcc.read(TEMPLATE, "acme.yaml", {"usage": "grid"})
    assert "  power:" in profile(draft)
