"""The profiles of a release, compiled, with their tests: what every later release must still read.

`make freeze` writes the set of the version in gateway/__init__.py and never writes over one.
A set is deflated CBOR: {"release", "profiles": [row]}; a row is {"name", "compiled",
"tests": [test]}; a test holds what its file said, as plain values, and under "readings" what the
decoder made of it, digit for digit. Knows no file but the set.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import units_cpython
from drivers.profile.cases_cpython import Case
from drivers.profile.check_cpython import Checked, check_text
from drivers.profile.model import load
from gateway import __version__
from gateway.core import cbor
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import Report
from gateway.core.source_cpython import LIST, SCALAR, Node
from tools.profile.proof import tester
from tools.profile.proof.exchange import picture

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.model import Profile

SETS = units_cpython.PROFILES.parent / "tests/vectors/profiles"
SUFFIX = ".cbor.z"
_SIZE_MAX = 64 * 1024 * 1024  # of a set when inflated


def main() -> int:
    """Write the set of this release; return the exit code."""
    parser = argparse.ArgumentParser(prog="freeze", description=__doc__.partition("\n")[0])
    parser.add_argument("--release", default=__version__, help="this version if absent")
    parser.add_argument("-o", "--output", type=Path, default=SETS, metavar="FOLDER")
    args = parser.parse_args()
    path = args.output / f"{args.release}{SUFFIX}"
    if path.exists():
        print(f"freeze: {path} is there; a release is frozen once", file=sys.stderr)
        return 1
    try:
        data = frozen(args.release, sorted(units_cpython.PROFILES.glob("*/*.yaml")))
    except ConfigError as error:
        print(f"freeze: {error}", file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{path}: {len(data)} bytes")
    return 0


def frozen(release: str, files: list[Path]) -> bytes:
    """Return the set of these profiles; ConfigError if one has an error or a test fails."""
    rows = []
    for path in files:
        checked = check_text(path.read_text(encoding="utf-8"), str(path))
        tester.run(checked)
        checked.report.require()
        compiled = cbor.encode(checked.document)
        tests = [_told(case, load(compiled)) for case in checked.cases]
        rows.append(
            {"name": f"{path.parent.name}/{path.stem}", "compiled": compiled, "tests": tests}
        )
    return zlib.compress(cbor.encode({"release": release, "profiles": rows}), 9)


def thawed(data: bytes) -> dict[str, Any]:
    """Return what a set holds."""
    inflated = zlib.decompressobj().decompress(data, _SIZE_MAX)
    found: dict[str, Any] = cbor.decode(inflated)
    return found


def failures(row: dict[str, Any]) -> tuple[list[str], int]:
    """Return what does not hold of a row by today's code, and how much was compared."""
    checked = Checked(Report(row["name"], ""), None)
    checked.document = cbor.decode(row["compiled"])
    checked.cases = [_case(test) for test in row["tests"]]
    outcome = tester.run(checked)
    problems = [one for one in checked.report.problems if one.severity == "error"]
    found = [f"{row['name']}: {one.message}" for one in problems]
    profile = load(row["compiled"])
    for number, (case, test) in enumerate(zip(checked.cases, row["tests"], strict=True), 1):
        now = _readings(case, profile)
        if now != test["readings"]:
            found.append(f"{row['name']}, test {number}: {now} was {test['readings']}")
    return found, outcome.compared


def _told(case: Case, profile: Profile) -> dict[str, Any]:
    return {
        "message": case.message,
        "settings": case.settings,
        "sent": [data for _, data in case.sent],
        "received": [data for _, data in case.received],
        "images": [list(one) for one in case.images],
        "gives": None if case.gives_nothing else _values(case.gives),
        "write": _values(case.write),
        "sends": [data for _, data in case.sends],
        "readings": _readings(case, profile),
    }


def _readings(case: Case, profile: Profile) -> list[Any] | None:
    """What the decoder makes of a test: [channel, value in the wire unit, quality] each."""
    image = None if case.write else picture(case, profile, Report("", ""))
    if image is None:
        return None
    return [list(one) for one in profile.device(case.settings).decode(image, {})]


def _values(nodes: dict[str, Node]) -> dict[str, Any]:
    return {
        name: [item.text for item in node.items] if node.kind == LIST else node.value
        for name, node in nodes.items()
    }


def _case(test: dict[str, Any]) -> Case:
    case = Case(_node(None))
    case.message = test["message"]
    case.settings = test["settings"]
    case.images = [(table, address, data) for table, address, data in test["images"]]
    case.gives_nothing = test["gives"] is None
    case.gives = {name: _node(value) for name, value in (test["gives"] or {}).items()}
    case.write = {name: _node(value) for name, value in test["write"].items()}
    for key in ("sent", "received", "sends"):
        setattr(case, key, [(_node(None), data) for data in test[key]])
    return case


def _node(value: Any) -> Node:
    node = Node(LIST if isinstance(value, list) else SCALAR, 1, 1, 1)
    if isinstance(value, list):
        node.items = [_node(item) for item in value]
    else:
        node.value = value
        node.text = value if isinstance(value, str) else ""
    return node


if __name__ == "__main__":
    sys.exit(main())
