"""`tidegate profile compile`: the CBOR that a gateway loads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.check_cpython import check_source
from gateway.core import cbor
from gateway.core.source_cpython import read_source
from tools.profile.options import STDOUT

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="FILE.cbor if absent; - is standard output"
    )


def main(args: argparse.Namespace) -> int:
    """Write the compiled form; return the exit code."""
    checked = check_source(read_source(args.file))
    checked.report.require()
    data = cbor.encode(checked.document)
    if args.output == STDOUT:
        sys.stdout.buffer.write(data)
        return 0
    output = Path(args.output) if args.output else args.file.with_suffix(".cbor")
    output.write_bytes(data)
    if args.json:
        print(json.dumps({"file": str(args.file), "output": str(output), "size_bytes": len(data)}))
    else:
        print(f"{output}: {len(data)} bytes")
    return 0
