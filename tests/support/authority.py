"""A certificate authority for one test: issues, expires and revokes (openssl's own `ca`)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.mosquitto import openssl

if TYPE_CHECKING:
    from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_CONFIG = """\
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
unique_subject = no
[any]
commonName = supplied
"""
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")


class Authority:
    """Keeps `ca.pem`, `crl.pem` and what it issued (`NAME.pem`, `NAME.key`) in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "ca.conf").write_text(_CONFIG)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "crlnumber").write_text("01\n")
        subject = ("-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        openssl(folder, "req", "-x509", *_NEW_KEY, "-days", "2", *subject)
        self._list()

    def issue(self, name: str, common_name: str, *dates: str, host: str = "") -> str:
        """Issue `name`, for a `host` if it is a server's; return its path without the suffix."""
        subject = ("-subj", f"/CN={common_name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(self.folder, "req", *_NEW_KEY, *subject)
        more = []
        if host:
            (self.folder / "host").write_text(f"subjectAltName=DNS:{host}\n")
            more = ["-extfile", "host"]
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem")
        openssl(self.folder, "ca", "-batch", "-config", "ca.conf", *files, *dates, *more)
        return str(self.folder / name)

    def revoke(self, name: str) -> None:
        """Put `name` on the revocation list."""
        openssl(self.folder, "ca", "-config", "ca.conf", "-revoke", f"{name}.pem")
        self._list()

    def install(self, name: str, place: Path) -> None:
        """Put a certificate and its key where a gateway's site file names them."""
        for suffix in (".pem", ".key"):
            new = place.with_suffix(".new")
            shutil.copy(self.folder / f"{name}{suffix}", new)
            new.replace(place.with_suffix(suffix))

    def _list(self) -> None:
        openssl(self.folder, "ca", "-config", "ca.conf", "-gencrl", "-out", "crl.pem")
