"""The documents say what is true: links lead somewhere, examples work, lists are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.agent.load_cpython import Loaded
from tools.bench.cli import BENCHES, LONG

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#:]+)(#[^)]*)?\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_docs_every_link_leads_to_a_file() -> None:
    links = 0
    broken = []
    for page in PAGES:
        for target, _ in _LINK.findall(page.read_text()):
            links += 1
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken
    assert links >= 20


def test_docs_site_file_example_is_a_good_site_file(tmp_path: Path) -> None:
    examples = [text for kind, text in _FENCE.findall((ROOT / "docs/site.md").read_text()) if kind]
    assert examples
    for number, text in enumerate(examples):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        assert Loaded(path).report.text() == ""  # its profiles and channels exist, too


def test_docs_decisions_are_numbered_once() -> None:
    pages = [path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    numbers = [name[:4] for name in pages]
    assert len(numbers) == len(set(numbers)) >= 8
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in pages)


def test_docs_every_requirement_of_delivery_names_a_proof_that_exists() -> None:
    rows = re.findall(r"^\| (R\d\d) \|(.*)\|$", (ROOT / "docs/delivery.md").read_text(), re.M)
    assert [number for number, _ in rows] == [f"R{number:02}" for number in range(1, 35)]
    for number, row in rows:
        named = re.findall(r"`((?:tests|tools)/[^`]+)`", row)
        benches = re.findall(r"`(?:tidegate )?bench (\w+)`", row)
        assert named or benches or "tidegate check" in row, number
        for path in named:
            assert (ROOT / path).is_file(), f"{number}: {path}"
        for bench in benches:
            assert bench in BENCHES | LONG, f"{number}: bench {bench}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_name_no_path_or_host_of_one_machine(page: Path) -> None:
    for word in ("/home/", "localhost:"):
        assert word not in page.read_text()
