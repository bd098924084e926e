"""Certificates that expire, are revoked and renewed under a running gateway; brokers that lie."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.authority import PAST, Authority
from tests.support.mosquitto import OPEN
from tests.support.scene import GW, scene
from tools.sim.process import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scene import Scene

pytestmark = pytest.mark.system

PRESENT, LOST = "^back .*what=broker", "^lost what=broker why=."
LIES = {
    "expired": "TLS date: the broker's certificate has expired",
    "other": "TLS name: the broker's certificate is not for localhost",
    "stranger": "TLS trust: ",
}


def secured(stage: Scene, authority: Authority, port: int, server: str) -> None:
    """Write the broker's configuration: open to the platform, mutual TLS to gateways."""
    keys = authority.folder
    rows = [f"listener {stage.port} 127.0.0.1", f"listener {port} 127.0.0.1", "user root", OPEN]
    rows += [f"cafile {keys / 'ca.pem'}", f"crlfile {keys / 'crl.pem'}"]
    rows += [f"certfile {keys / server}.pem", f"keyfile {keys / server}.key"]
    rows += ["require_certificate true", "use_identity_as_username true"]
    (stage.folder / "mosquitto.conf").write_text("\n".join(rows) + "\n")


def certificates(folder: Path) -> Authority:
    """Return an authority that has issued all that the test wants, good and bad."""
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    for name in ("first", "second", "third"):
        ours.issue(name, GW)
    ours.issue("old", GW, *PAST)
    ours.issue("server", "broker", host="localhost")
    ours.issue("expired", "broker", *PAST, host="localhost")
    ours.issue("other", "broker", host="broker.example")
    theirs.issue("stranger", "broker", host="localhost")
    theirs.install("stranger", ours.folder / "stranger")
    return ours


def test_certificates_are_renewed_revoked_and_refused_under_a_running_gateway(
    tmp_path: Path,
) -> None:
    ours = certificates(tmp_path)
    place, port = tmp_path / "gateway", free_port()

    with scene(tmp_path) as stage:
        broker = stage.broker()
        stage.fusion()

        def serve(server: str) -> int:
            """Restart the broker with another certificate; return how much was said before."""
            broker.kill()
            said = len(stage.said())
            secured(stage, ours, port, server)
            broker.start()
            broker.ready(port)
            return said

        serve("server")
        ours.install("first", place)
        files = f'ca: "{ours.folder}/ca.pem", cert: "{place}.pem", key: "{place}.key"'
        site = stage.site(
            stage.bus("river", "100ms"), url=f"mqtts://localhost:{port}", more=f", {files}"
        )
        # The back-off grows with every refusal; here it need not.
        changes = ("session.BACKOFF_MS_MIN=500", "session._BACKOFF_TRIES_MAX=0")
        stage.agent(site, *[f"gateway.uplink.{one}" for one in changes])
        stage.until(lambda: stage.delivered() > 5)

        # Renewed: the new files are used from the next connection on, so the old may go.
        ours.install("second", place)
        ours.revoke("first")
        os.kill(broker.pid, signal.SIGHUP)
        stage.until_said(PRESENT, 10, after=serve("server"))

        # Revoked while connected, which shows at the next connection; renewed once more.
        ours.revoke("second")
        said = serve("server")
        stage.until_said(LOST + "TLS: .*revoked", 10, after=said)
        ours.install("third", place)
        stage.until_said(PRESENT, 10, after=said)

        # A broker nobody should believe, and a certificate of ours that ended in 2020.
        said = len(stage.said())
        for server, words in LIES.items():
            serve(server)
            stage.until_said(LOST + words, 10, after=said)
        ours.install("old", place)
        serve("server")
        stage.until_said(LOST + "TLS: .*certificate expired", 10, after=said)
        waiting = stage.delivered()
        ours.install("third", place)
        stage.until_said(PRESENT, 10, after=said)
        asked = len(stage.log("river").asked)
        stage.until(lambda: stage.delivered() >= asked)
        account = stage.settle()
    print(account, *stage.said(), sep="\n")
    assert asked - waiting > 5  # which had waited for a broker that can be believed
