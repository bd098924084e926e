"""A site file with its profiles, read and joined; all that is wrong with it, in one report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.compile_cpython import find, load_file
from gateway.agent import plan
from gateway.core.errors import ConfigError
from gateway.site_cpython import SiteFile

if TYPE_CHECKING:
    from drivers.profile.model import Profile
    from gateway.core.report_cpython import Report
    from gateway.site import Site


class Loaded:
    """`site` and `plan`, None if the file is broken; the `report` names every problem."""

    def __init__(self, path: Path) -> None:
        read = SiteFile(path)
        self.site: Site | None = read.site
        self.report: Report = read.report
        self.plan: plan.Plan | None = None
        if read.site is None:
            return
        folders = [path.parent / folder for folder in read.site.profiles]
        self.plan = plan.make(read.site, lambda name: _profile(name, folders))
        for name, text in self.plan.problems:
            self.report.add("E120", read.places[name], text)

    def require(self) -> tuple[Site, plan.Plan]:
        """Return site and plan; ConfigError with every problem if there is an error."""
        self.report.require()
        assert self.site is not None
        assert self.plan is not None
        return self.site, self.plan


def _profile(name: str, folders: list[Path]) -> Profile:
    try:
        return load_file(find(name, folders))
    except ConfigError as error:
        # The report shows one line; the profile's own problems are `profile check`'s to show.
        raise ConfigError(str(error).split("\n", 1)[0])
