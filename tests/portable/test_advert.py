"""Adverts are read as the Core Specification lays them out; every cut and flip is harmless."""

from __future__ import annotations

from drivers.protocol import advert
from drivers.protocol.advert import Advert, parse
from gateway.core.errors import BadReply
from tests.portable.support import raised

H = bytes.fromhex
RUUVI = H("020106 1BFF9904 0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F".replace(" ", ""))
BTHOME = H("020106 0A16D2FC4002CA0903BF13 0B09444959 2D73656E736F72".replace(" ", ""))


def test_advert_manufacturer_data_by_company():
    found = parse(RUUVI, "C8:25:2D:8E:9C:2C", -60)
    assert found.companies == {0x0499: RUUVI[7:]}
    assert (found.flags, found.rssi, found.address) == (6, -60, "C8:25:2D:8E:9C:2C")
    assert (found.name, found.services, found.tx_power) == ("", {}, None)


def test_advert_service_data_names_and_power():
    found = parse(BTHOME)
    assert found.services == {"fcd2": H("4002CA0903BF13")}
    assert found.name == "DIY-sensor"
    assert parse(H("020AF4")).tx_power == -12
    assert parse(H("020A08")).tx_power == 8
    assert parse(H("030847560309424200")).name == "BB"  # the whole name counts, wherever it stands
    assert parse(H("0309424203084756")).name == "BB"
    assert parse(H("030848C30309")[:4]).name == "H"  # cut within a character
    assert parse(H("0209FF")).name == ""


def test_advert_uuids_of_every_width_in_one_form():
    assert parse(H("05030D180F18")).uuids == ["180d", "180f"]
    assert parse(H("050478563412")).uuids == ["12345678-0000-1000-8000-00805f9b34fb"]
    assert parse(H("0504D2FC0000")).uuids == ["fcd2"]
    nordic = "23d1bcea5f782315deef121224150000"
    assert parse(H("1107" + nordic)).uuids == ["00001524-1212-efde-1523-785feabcd123"]
    assert parse(H("1221" + nordic + "07")).services == {
        "00001524-1212-efde-1523-785feabcd123": b"\x07"
    }
    assert parse(H("0620D2FC000041")).services == {"fcd2": b"A"}
    assert advert.short("0000FCD2-0000-1000-8000-00805F9B34FB") == "fcd2"
    assert advert.short("1234fcd2-0000-1000-8000-00805f9b34fb")[:4] == "1234"


def test_advert_early_end_is_zeros_only():
    assert parse(H("020106") + bytes(28)).flags == 6
    assert "follows the end" in str(raised(BadReply, parse, H("020106000000010203")))


def test_advert_wrong_lengths_are_refused_exactly():
    bad = ("02", "0201", "05FF9904", "02FF99", "0216D2", "0420D2FC00", "0303D2", "0402D2FC01")
    for data in bad + ("01", "0101", "010A", "030A0102", "03210102"):
        raised(BadReply, parse, H(data))
    assert parse(b"") == Advert("")
    assert parse(H("03FF9904")).companies == {0x0499: b""}
    assert parse(H("0316D2FC")).services == {"fcd2": b""}
    raised(BadReply, parse, bytes(advert.LENGTH_MAX + 1))
    assert len(parse(H("03190300") * 412).companies) == 0


def test_advert_every_cut_is_refused_or_a_shorter_advert():
    refused = 0
    for whole in (RUUVI, BTHOME):
        for cut in range(len(whole)):
            try:
                assert isinstance(parse(whole[:cut]), Advert)
            except BadReply:
                refused += 1
    assert refused == len(RUUVI) + len(BTHOME) - 2 - 3  # but where one structure ends


def test_advert_addresses_in_one_form():
    assert advert.address("a4-c1-38-02-f8-f4") == "A4:C1:38:02:F8:F4"
    assert advert.address("a4c13802f8f4") == "A4:C1:38:02:F8:F4"
    assert advert.address(H("f4f80238c1a4")) == "A4:C1:38:02:F8:F4"
    for bad in ("", "A4:C1:38:02:F8", "A4:C1:38:02:F8:G4", "A4C13802F8F400", b"\x00", None):
        assert advert.address(bad) == ""


def test_advert_as_a_host_tells_it_is_the_same():
    full = "0000FCD2-0000-1000-8000-00805F9B34FB"
    found = advert.told("A", -60, None, {1: b"x"}, {full: b"y"}, [full], -4)
    assert found == Advert("A", -60, "", {1: b"x"}, {"fcd2": b"y"}, ["fcd2"], -4)
    assert advert.told("A", None, "n", {}, {}, [], None) == Advert("A", None, "n")
