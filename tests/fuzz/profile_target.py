"""What a fuzzer throws at the reader of profiles: any bytes are read, or refused with a reason.

Knows the readers and what to start from; knows no fuzzer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile import model
from drivers.profile.check_cpython import check_text
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError
from gateway.core.source_cpython import SIZE_MAX, load_source
from tools.profile.proof import tester

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SOURCE, COMPILED = b"s", b"c"  # the first byte of an input says which reader it is for
DECODED_MAX = 64  # channels that are also decoded: more only take time


def one_input(data: bytes) -> bool:
    """Read one input as the gateway would; return whether it was accepted.

    Whatever else than a refusal comes of it is a finding.
    """
    kind, body = data[:1], data[1:]
    if kind == COMPILED:
        return _compiled(body)
    return _source(body)


def seeds() -> Iterator[bytes]:
    """Yield inputs to start from: our profiles, the broken ones, and the compiled ones."""
    for path in sorted((ROOT / "tests/profiles/broken").glob("*.yaml")):
        yield SOURCE + path.read_bytes()[:SIZE_MAX]
    for path in sorted((ROOT / "profiles").glob("*/*.yaml")):
        data = path.read_bytes()
        yield SOURCE + data
        document = check_text(data.decode(), path.name).document
        if document is not None:
            yield COMPILED + cbor.encode(document)


def write_seeds(folder: Path) -> int:
    """Put the seeds into a folder; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, data in enumerate(seeds(), 1):
        (folder / f"seed-{count:04}").write_bytes(data)
    return count


def _source(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    load_source(text, "a.yaml")
    checked = check_text(text, "a.yaml")
    tester.run(checked)
    checked.report.text()
    if checked.document is None:
        assert checked.report.errors, "refused without a word"
        return False
    assert _compiled(cbor.encode(checked.document)), "what was compiled does not load"
    return checked.report.errors == 0


def _compiled(data: bytes) -> bool:
    try:
        profile = model.load(data)
    except BadReply as error:
        assert str(error), "refused without a reason"
        return False
    try:
        device = profile.device({})
    except ConfigError:
        return True  # a setting without a default: a site has to choose
    if len(profile.channels) <= DECODED_MAX:
        device.decode(model.Image(), {})
    return True
