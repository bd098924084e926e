"""`tidegate profile compile`: the CBOR that a gateway loads."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from drivers.profile.check_cpython import check_source
from gateway.core import cbor
from gateway.core.source_cpython import read_source
from tools.profile.given import file_of
from tools.profile.options import STDOUT

_EXAMPLES = """\
examples:
  tidegate profile compile probe.yaml                   writes probe.cbor beside it
  tidegate profile compile eastron/sdm630               writes sdm630.cbor here
  tidegate profile compile probe.yaml -o board/p.cbor   or wherever else
  tidegate profile compile probe.yaml -o - | sha256sum  its first 8 bytes are the identity
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("file", metavar="FILE", help="file, or maker/model")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="FILE.cbor if absent, of maker/model model.cbor here; - is standard output",
    )


def main(args: argparse.Namespace) -> int:
    """Write the compiled form; return the exit code."""
    path = file_of(args.file)
    checked = check_source(read_source(path))
    checked.report.require()
    data = cbor.encode(checked.document)
    if args.output == STDOUT:
        sys.stdout.buffer.write(data)
        return 0
    beside = path.parent if path == Path(args.file) else Path()
    output = Path(args.output) if args.output else beside / f"{path.stem}.cbor"
    output.write_bytes(data)
    if args.json:
        print(json.dumps({"file": str(path), "output": str(output), "size_bytes": len(data)}))
    else:
        print(f"{output}: {len(data)} bytes")
    return 0
