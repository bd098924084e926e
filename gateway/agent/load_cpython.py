"""A site file with its profiles, read and joined; all that is wrong with it, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.compile_cpython import find, load_file
from gateway.agent import plan
from gateway.buffer.room import capacity
from gateway.buffer.store import Settings
from gateway.core.errors import ConfigError
from gateway.core.reading import BULK
from gateway.site_cpython import BUFFER, GATEWAY, SiteFile

if TYPE_CHECKING:
    from drivers.profile.model import Profile
    from gateway.buffer.room import Capacity
    from gateway.core.report_cpython import Report
    from gateway.site import Site, Storage


class Loaded:
    """`site` and `plan`, None if the file is broken; the `report` names every problem."""

    def __init__(self, path: Path) -> None:
        read = SiteFile(path)
        self.site: Site | None = read.site
        self.report: Report = read.report
        self.plan: plan.Plan | None = None
        self.capacity: Capacity | None = None
        if read.site is None:
            return
        if "." in read.site.gateway and read.site.platform.protocol == "3.1.1":
            text = f"the '.' in {read.site.gateway} is a '/' to NATS and RabbitMQ: nothing arrives"
            self.report.add("W122", read.places[GATEWAY], text, "choose an id without dots")
        folders = [path.parent / folder for folder in read.site.profiles]
        self.plan = plan.make(read.site, lambda name: _profile(name, folders))
        for name, text in self.plan.problems:
            self.report.add("E120", read.places[name], text)
        for name, text in self.plan.warnings:
            self.report.add("W123", read.places[name], text)
        every_ms = [point.every_ms for point in self.plan.points if point.ring == BULK]
        self.capacity = capacity(settings(read.site.storage), every_ms)
        if self.capacity.shortage:
            hint = "give bulk more room, or poll less often"
            self.report.add("W121", read.places[BUFFER], self.capacity.shortage, hint)

    def require(self) -> tuple[Site, plan.Plan]:
        """Return site and plan; ConfigError with every problem if there is an error."""
        self.report.require()
        assert self.site is not None
        assert self.plan is not None
        return self.site, self.plan


def settings(storage: Storage) -> Settings:
    """Return the buffer's settings as the site has them."""
    return Settings(storage.crit_bytes, storage.bulk_bytes, commit_ms=storage.commit_ms)


def _profile(name: str, folders: list[Path]) -> Profile:
    try:
        return load_file(find(name, folders))
    except ConfigError as error:
        # The report shows one line; the profile's own problems are `profile check`'s to show.
        raise ConfigError(str(error).split("\n", 1)[0])
