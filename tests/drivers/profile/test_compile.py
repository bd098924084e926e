"""From file to compiled form: found by name, the same bytes each time, a cache that cannot lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from drivers.profile import compile_cpython
from drivers.profile.model import PLACES_MAX, Image, load
from gateway.core import cbor
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
name: Probe
modbus: {}
channels: {a: {at: 1, scale: 0.1}}
tests:
  - holding: {1: 00FF}
    gives: {a: 25.5}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "acme" / "probe.yaml"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def test_compiled_form_is_canonical_cbor_without_tests_and_remarks(file: Path) -> None:
    data = compile_cpython.compiled(file)
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data
    assert set(cbor2.loads(data)) == {"tidegate", "name", "every", "bus", "channels"}
    profile = load(data)
    assert (profile.name, profile.every_ms, len(profile.digest)) == ("Probe", 60_000, 8)


def test_remarks_and_tests_do_not_change_the_identity_a_register_does(file: Path) -> None:
    digest = compile_cpython.load_file(file).digest
    file.write_text("# seen in the field\n" + TEXT.replace("00FF", "0001").replace("25.5", "0.1"))
    assert compile_cpython.load_file(file).digest == digest
    file.write_text(TEXT.replace("at: 1,", "at: 2,").replace("1: 00FF", "2: 00FF"))
    assert compile_cpython.load_file(file).digest != digest


def test_cache_is_used_and_a_corrupt_entry_is_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = compile_cpython.compiled(file)
    (entry,) = compile_cpython.cache_folder().glob("*.cbor")
    real = compile_cpython.compile_text
    runs: list[str] = []

    def counted(text: str, name: str) -> bytes:
        runs.append(name)
        return real(text, name)

    monkeypatch.setattr(compile_cpython, "compile_text", counted)
    assert compile_cpython.compiled(file) == data
    assert runs == []
    whole = entry.read_bytes()
    for broken in (b"", whole[:-1], whole[:40] + b"\x00" + whole[41:], b"\x00" * 64):
        entry.write_bytes(broken)
        assert compile_cpython.compiled(file) == data
        assert entry.read_bytes() == whole
    assert len(runs) == 4


def test_folder_that_cannot_hold_a_cache_stops_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # a file, not a folder
    assert load(compile_cpython.compiled(file)).name == "Probe"


def test_profile_with_an_error_is_not_loaded(file: Path) -> None:
    file.write_text(TEXT.replace("scale", "scal"))
    with pytest.raises(ConfigError, match=r"probe.yaml:3:23: error E010: .*scal"):
        compile_cpython.compiled(file)


def test_profile_is_found_by_name_and_nowhere_else(file: Path) -> None:
    folder = file.parent.parent
    assert compile_cpython.find("acme/probe", [folder]) == file
    assert compile_cpython.find("eastron/sdm630").name == "sdm630.yaml"
    with pytest.raises(ConfigError, match="did you mean 'acme/probe'"):
        compile_cpython.find("acme/prob", [folder])
    for name in ("../acme/probe", "/etc/passwd", "", "acme", str(file)[:-5]):
        with pytest.raises(ConfigError):
            compile_cpython.find(name, [folder / "acme"])


def test_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        compile_cpython.compiled(tmp_path / "none.yaml")


def test_a_user_without_a_home_compiles_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    name = compile_cpython.shipped()[0]
    data = compile_cpython.compiled(compile_cpython.find(name, [tmp_path]))
    assert len(data) > 100


def test_a_chain_of_channels_as_long_as_a_profile_can_be_is_no_recursion() -> None:
    last = PLACES_MAX - 1
    rows: list[dict[str, object]] = [{"id": f"a{i}", "calc": [f"a{i + 1}"]} for i in range(last)]
    rows.append({"id": f"a{last}", "at": 7})
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "modbus", "channels": rows}
    found = load(cbor.encode(document)).device()
    assert [field.address for field in found.fields(10000)] == [7]
    image = Image()
    image.put("holding", 7, bytes((0, 42)))
    known: dict[str, object] = {}
    found.decode(image, known)
    assert known["a0"] == 42
