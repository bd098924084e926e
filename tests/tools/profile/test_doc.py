"""`tidegate profile doc`: pages that say what the profile says, in Markdown and HTML."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from gateway.__main__ import main
from tools.profile.given import find
from tools.profile.telling import catalogue, doc
from tools.profile.telling.annotate import example
from tools.profile.telling.page import Subject

PROBE = """\
# Source: Acme, "WL200 manual", page 7;
# the frame is printed there.
name: WL200 <level> probe
maker: Acme
models: [WL200, WL200-B]
docs: https://acme.example/wl200.pdf
kind: water_level
every: 10s
verified: manual
modbus: {baud: 4800, parity: even, unit: 7, in: input}
identify: level < 20
settings:
  datum: {default: 0, min: -10, max: 10, unit: m, help: height of the membrane}
  mode: {map: {0: slow, 1: fast}}
channels:
  level:
    at: 0x10
    type: s16
    scale: 0.001
    none: 0x7FFF
    valid: -1..20
    unit: m
    kind: hydro.level.river
  t_[a,b]: {at: 0x11, type: s16, scale: 0.1, offset: -40, unit: °F, kind: wq.temperature, every: 5m}
  own: {at: 0x13, title: {en: Own thing, zh: 自有, ja: 独自}, map: {0: off, 1: on}, every: once}
  stage: {calc: level + datum, unit: m}
  lamp: {in: coil, at: 1, write: true}
  h: {at: 0x14, hidden: true}
tests:
  - settings: {mode: slow}
    sent:     07 04 0010 0003 B1A8
    received: 07 04 06 03E8 0100 0110 2AB7
    gives: {level: 1}
  - settings: {mode: slow}
    input: {0x13: "0001"}
    gives: {own: on}
"""


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    folder.mkdir()
    path = folder / "wl200.yaml"
    path.write_text(PROBE)
    return path


@pytest.fixture(scope="module")
def found() -> list[Subject]:
    return catalogue.subjects()


def documented(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["profile", "doc", *map(str, arguments)]) == 0
    return capsys.readouterr().out


SAID = (
    "# WL200 \\<level\\> probe\n",
    "| **maker** | Acme |",
    "| **models** | WL200, WL200-B |",
    "| **category** | Water level |",
    "| **bus** | Modbus, 4800 8E1, factory address 7 |",
    "| **polled every** | 10s |",
    "| **recognised by** | `level < 20` |",
    "| **profile** | [acme/wl200](wl200.yaml), identity `",
    "| **grade** | **–**; bronze lacks: no test touches channel",
    "| **checked against** | the manual |",
    "| **manual** | [acme.example](https://acme.example/wl200.pdf) |",
    '| **source** | Acme, "WL200 manual", page 7; the frame is printed there. |',
    "| `level` | River stage | 河道水位 | 河川水位 | input 0x0010 | `s16` × 0.001 | m |"
    " `hydro.level.river` | -1..20; none: 0x7FFF |  |  |",
    "| `t_[a,b]` |",
    "input 0x0011 | `s16` × 0.1 − 40 | °F, sent as Cel | `wq.temperature` |  | 5m |  |",
    "| `own` | Own thing | 自有 | 独自 | input 0x0013 | `u16` |  |  | off, on | once |  |",
    "| derived | calc `level + datum` | m |",
    "| coil 1 | `bool` |  |  |  |  | read, write |",
    "| hidden |",
    "| `datum` | height of the membrane | 0 | -10..10 | m |",
    "| `mode` |  | must be chosen | slow, fast |  |",
    "device-1: {profile: acme/wl200, unit: 7, settings: {mode: …}}",
    "| `07` | address 7 |",
    "| `04` | function 4: read input |",
    "| `00 10` | from 16 |",
    "| `03 E8` | level 1 m |",
    "| `01 00` | t_a ",
    "| `2A B7` | CRC |",
    '"bt": 1767225600, "n": "device-1/level", "u": "m", "v": 1}',
)


@pytest.mark.parametrize("said", SAID)
def test_doc_page_says(said: str, probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in documented(capsys, probe)


def test_doc_of_one_language_has_its_titles_only(
    probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = documented(capsys, probe, "--lang", "zh")
    assert "河道水位" in page
    assert "River stage" not in page
    assert "河川水位" not in page


def test_doc_of_an_unknown_language_guesses(
    probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["profile", "doc", str(probe), "--lang", "zz"])
    assert left.value.code == 2
    assert "no titles in 'zz'" in capsys.readouterr().err


def test_doc_as_html_is_one_file(probe: Path, tmp_path: Path) -> None:
    out = tmp_path / "probe.html"
    assert main(["profile", "doc", str(probe), "--html", "-o", str(out)]) == 0
    text = out.read_text()
    assert "<h1>WL200 &lt;level&gt; probe</h1>" in text
    assert "<td>River stage</td>" in text
    assert "<script" not in text


def test_doc_tells_machines_the_grade_beside_the_page(
    probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads(documented(capsys, probe, "--json"))
    assert row["page"] == documented(capsys, probe)
    assert (row["profile"], row["grade"]) == ("acme/wl200", "none")
    assert "no test touches" in row["lacking"][0]


def test_doc_of_a_shipped_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert documented(capsys, "eastron/sdm630").startswith("# Eastron SDM630")


def test_doc_of_what_is_not_there_or_broken_says_so(
    probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "doc", "none.yaml"]) == 66
    compiled = probe.with_suffix(".cbor")
    compiled.write_bytes(bytes([0xA0]))
    assert main(["profile", "doc", str(compiled)]) == 78
    assert "the compiled form, without titles and tests" in capsys.readouterr().err
    probe.write_text("name: X")
    assert main(["profile", "doc", str(probe)]) == 78
    assert "E013" in capsys.readouterr().err


def test_doc_example_is_made_from_registers_where_no_test_has_frames(tmp_path: Path) -> None:
    path = tmp_path / "probe.yaml"
    path.write_text(
        "name: P\nmodbus: {unit: 9}\nchannels: {a: {at: 3}, 'r_[1..10]': {in: coil, at: 0}}\n"
        "tests:\n  - holding: {3: 00FF}\n    gives: {a: 255}\n"
        '  - coil: {0: "1000000001"}\n    gives: {r_1: true, r_10: true, r_2: false}\n'
    )
    shown = example(find(str(path)))
    assert shown is not None
    assert shown.made
    (_, request), (_, answer) = shown.frames
    assert " ".join(part.shown for part in request[:4]) == "09 01 00 00 00 0A"
    assert [part.shown for part in answer][2:5] == ["02", "01", "02"]
    assert answer[4].means == "r_9 false; r_10 true"


def test_doc_of_all_writes_checks_and_clears(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    found: list[Subject],
) -> None:
    some = [one for one in found if one.name in ("eastron/sdm630", "keller/36xw")]
    monkeypatch.setattr(catalogue, "subjects", lambda: some)
    assert main(["profile", "doc", "--all", "--check", "-o", str(tmp_path)]) == 1
    assert "docs/devices/README.md: is missing" in capsys.readouterr().out
    assert main(["profile", "doc", "--all", "-o", str(tmp_path)]) == 0
    devices = tmp_path / "docs/devices"
    assert len(list(devices.glob("*/*.md"))) == 2
    (devices / "acme").mkdir()
    (devices / "acme/gone.md").write_text("x")
    (devices / "eastron/sdm630.md").write_text("x")
    (devices / "keller/36xw.md").unlink()
    capsys.readouterr()
    assert main(["profile", "doc", "--all", "--check", "--json", "-o", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "missing": ["docs/devices/keller/36xw.md"],
        "stale": ["docs/devices/eastron/sdm630.md"],
        "extra": ["docs/devices/acme/gone.md"],
    }
    assert main(["profile", "doc", "--all", "-o", str(tmp_path)]) == 0
    assert main(["profile", "doc", "--all", "--check", "-o", str(tmp_path)]) == 0


def test_doc_pages_shipped_say_what_the_profiles_say(found: list[Subject]) -> None:
    wanted = doc.expected(found)
    stale = [path for path, text in wanted.items() if not _is(doc.ROOT / path, text)]
    pages = {path.relative_to(doc.ROOT) for path in (doc.ROOT / "docs/devices").rglob("*.md")}
    assert not stale, f"make generated: {stale[:5]} …"
    assert pages <= set(wanted), "make generated: a page of no profile"
    assert len(wanted) >= 120


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def test_doc_index_leads_to_every_page_four_ways(found: list[Subject]) -> None:
    text = catalogue.index(found).markdown()
    for one in found:
        links = re.findall(rf"\]\({re.escape(one.name)}\.md\)", text)
        kinds = {draft.row["kind"] for draft in one.visible() if "kind" in draft.row}
        assert len(links) == 3 + len(kinds), one.name
    assert len(found) >= 100


def test_doc_index_begins_with_its_contents(found: list[Subject]) -> None:
    text = catalogue.index(found).markdown()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    linked = re.findall(r"\[([^]]+)\]\(#([a-z-]+)\)", text)
    assert [name for name, _ in linked] == headings
    assert all(anchor == name.lower().replace(" ", "-") for name, anchor in linked)


def test_doc_links_of_all_pages_lead_somewhere(found: list[Subject]) -> None:
    pages = catalogue.pages(found)
    seen = 0
    for name, text in pages.items():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            seen += 1
            path = os.path.normpath(doc.ROOT / "docs/devices" / Path(name).parent / target)
            known = target in pages or os.path.exists(path)
            assert known, f"{name}: {target}"
    assert seen >= 4 * len(pages)


@pytest.mark.parametrize(
    ("words", "why"), [(("--all", "--html"), "--html is for one"), (("FILE", "--check"), "--check")]
)
def test_doc_refuses_an_option_that_it_would_not_heed(
    words: tuple[str, ...], why: str, probe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(probe) if word == "FILE" else word for word in words]
    assert main(["profile", "doc", *given]) == 78
    assert why in capsys.readouterr().err
