"""What `check` says of a bus that is asked for too much, with its arithmetic."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.agent.demand import WARN_US, Demand, Share
from gateway.agent.load_cpython import Loaded
from gateway.feasible import WHOLE

ROOT = Path(__file__).parents[3]
SITE = """\
gateway: 330482-0017
platform: mqtt://127.0.0.1:1883
buses:
  rs485-1:
    port: /dev/serial/by-id/usb-FTDI_FT232R-if00-port0
    baud: 9600
    parity: none
    devices:
      meter-1: {profile: eastron/sdm630, unit: 1, every: EVERY}
      noise-1: {profile: sonbest/sm7901b, unit: 2, every: 2s}
"""


def written(folder: Path, every: str, more: str = "") -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.replace("EVERY", every + more))
    return path


def share(device: str, period_ms: int, each_ms: int, requests: int = 1, whole_ms: int = 0) -> Share:
    return Share(
        device, period_ms, period_ms, requests, 1000 * each_ms, 1000 * (whole_ms or each_ms)
    )


def test_demand_that_is_too_much_is_summed_up_and_told_how_to_fit() -> None:
    demand = Demand("rs485-1", [share("river-3", 1000, 900, 5), share("meter-1", 1000, 820, 4)])
    assert demand.problem() == (
        "bus rs485-1 needs 1.72 s per 1 s: river-3 0.90 s (5 requests each 1 s),"
        " meter-1 0.82 s (4 requests each 1 s):"
        " poll all of them 3 times less often, or use more than one bus"
    )
    demand = Demand("rs485-1", [share("river-3", 1000, 900, 5), share("meter-1", 2000, 500, 4)])
    told = demand.problem()
    assert told.endswith(": poll river-3 each 2 s and it fits")
    fits = Demand("rs485-1", [share("river-3", 2000, 900, 5), share("meter-1", 2000, 500, 4)])
    assert fits.load_us <= WARN_US
    assert fits.problem() == fits.warning() == ""


def test_demand_told_in_the_page_of_the_site_file() -> None:
    demand = Demand("rs485-1", [share("river-3", 1000, 900, 5), share("meter-1", 1000, 500, 4)])
    assert f"error E120: {demand.problem()}\n" in (ROOT / "docs" / "site.md").read_text()


def test_demand_of_many_devices_tells_of_the_largest() -> None:
    demand = Demand("b", [share(f"d{n}", 1000, 100 + n) for n in range(12)])
    assert "d11 0.11 s (1 request each 1 s), d10 0.11 s" in demand.problem()
    assert "8 others 0.83 s" in demand.problem()


def test_demand_above_four_fifths_is_a_warning() -> None:
    demand = Demand("b", [share("a", 1000, 400), share("c", 1000, 450)])
    assert demand.problem() == ""
    assert "needs 0.85 s per 1 s" in demand.warning()
    assert "poll c each 2 s and it fits" in demand.warning()


def test_demand_that_waits_for_a_poll_too_long_is_refused_or_warned_of() -> None:
    cannot = Demand("b", [share("fast", 100, 20), share("slow", 60_000, 170)])
    assert cannot.problem() == (
        "fast cannot be read in time every 100 ms: a poll of slow holds the bus for 0.17 s, its own"
        " takes 0.02 s: poll fast less often, or give slow a bus of its own"
    )
    may = Demand("b", [share("fast", 100, 20), share("slow", 60_000, 90)])
    assert may.problem() == ""
    assert may.warning().startswith("fast may miss one of its 100 ms: a poll of slow holds")
    assert Demand("b", [share("fast", 100, 20), share("slow", 60_000, 79)]).warning() == ""


def test_demand_of_a_window_is_shared_by_its_exchanges() -> None:
    shares = [share("a", 1000, 900), share("c", 1000, 900)]
    assert Demand("b", shares).problem()
    assert Demand("b", shares, 4).problem() == Demand("b", shares, 4).warning() == ""


def test_demand_a_poll_longer_than_its_period_is_refused_beside_any_window() -> None:
    told = Demand("b", [share("a", 1000, 1500)], 4).problem()
    assert told == "a cannot be polled each 1 s: one poll of it takes 1.50 s"


@pytest.mark.parametrize("every", ["1s", "200ms"])
def test_check_tells_the_numbers_of_each_bus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], every: str
) -> None:
    path = written(tmp_path, every)
    fits = every == "1s"
    assert main(["check", "--json", "--site", str(path)]) == (os.EX_OK if fits else 1)
    found = json.loads(capsys.readouterr().out)
    (bus,) = found["buses"]
    assert bus["bus"] == "rs485-1"
    assert bus["load"] == pytest.approx(sum(poll["load"] for poll in bus["polls"]), abs=1e-5)
    assert {poll["device"] for poll in bus["polls"]} == {"meter-1", "noise-1"}
    assert all(
        poll["load"] == pytest.approx(poll["ms"] / poll["every_ms"], abs=1e-5)
        for poll in bus["polls"]
    )
    assert (bus["load"] <= 1) == fits
    told = [one for one in found["problems"] if one["code"] in ("E120", "W123")]
    assert [one["line"] for one in told] == ([] if bus["load"] <= WARN_US / WHOLE else [4])


def test_check_a_devices_own_words_on_its_line_count(tmp_path: Path) -> None:
    def loaded(more: str) -> Loaded:
        return Loaded(written(tmp_path, "10s", more))

    plain, alone = loaded("").plan, loaded(", max: 1").plan
    assert plain is not None and alone is not None
    requests = [sum(share.requests for share in one.demands[0].shares) for one in (plain, alone)]
    assert requests[1] > 5 * requests[0]
    slow = loaded(", pause: 100ms, timeout: 3s, retries: 0").plan
    assert slow is not None
    assert slow.demands[0].load_us > plain.demands[0].load_us
    line = slow.buses[0].wired[0].map.profile.line
    assert (line["pause_ms"], line["timeout_ms"], line["retries"]) == (100, 3000, 0)
    other = slow.buses[0].wired[1].map.profile.line
    assert "retries" not in other
