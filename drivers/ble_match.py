"""Which profile an advert may belong to, and where in it that profile's payload stands.

Compiled from profiles into tables, so that a foreign advert costs a few looks however many there
are. Knows no radio, no site and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol.advert import short
from drivers.protocol.frame import Shape

if TYPE_CHECKING:
    from drivers.profile.model import Profile
    from drivers.protocol.advert import Advert

ANY = -1  # a company id: the payload begins with the two bytes where others have theirs
SERVICES = {"bthome": "fcd2", "mibeacon": "fe95", "atc": "181a"}  # what the built-in formats use


class Source:
    """Where a profile's payload stands in an advert: behind a company id or a service UUID."""

    def __init__(self, profile: Profile) -> None:
        said = profile.ble
        self.company: int | None = said.get("manufacturer")
        self.service = short(said.get("service", SERVICES.get(said.get("format", ""), "")))
        rows = profile.messages
        self.connects = bool(rows) and not [
            True for row in rows if not ("read" in row or "notify" in row)
        ]

    def payload(self, advert: Advert, before: bytes | None = None) -> bytes | None:
        """Return the payload, None if the advert has none.

        Of several where the company may be any, the first that differs from `before`: a host may
        still list those the device sent earlier.
        """
        if self.connects:
            return None
        if self.service and self.service in advert.services:
            return advert.services[self.service]
        if self.company is None:
            return None
        if self.company != ANY:
            return advert.companies.get(self.company)
        found = None
        for company in sorted(advert.companies):
            found = company.to_bytes(2, "little") + advert.companies[company]
            if found != before:
                break
        return found


class Matcher:
    """Profiles, each with its name, by what their adverts show: company id, service, name."""

    def __init__(self, profiles: list[tuple[str, Profile]]) -> None:
        self._companies: dict[int, list[_Rule]] = {}
        self._services: dict[str, list[_Rule]] = {}
        self._names: dict[str, list[_Rule]] = {}  # by what a name begins with
        self._sizes: list[int] = []  # of those beginnings
        for name, profile in profiles:
            if profile.bus == "ble":
                self._add(_Rule(name, profile))

    def likely(self, advert: Advert) -> list[str]:
        """Return the names of the profiles that the advert may belong to, in order."""
        found: list[_Rule] = []
        for company in advert.companies:
            if company in self._companies:
                found += self._companies[company]
        for service in advert.services:
            if service in self._services:
                found += self._services[service]
        for service in advert.uuids:
            if service in self._services:
                found += self._services[service]
        if advert.name:
            for size in self._sizes:
                found += self._names.get(advert.name[:size], ())
        if not found:
            return []
        return sorted({rule.name for rule in found if rule.fits(advert)})

    def _add(self, rule: _Rule) -> None:
        company, listed = rule.source.company, False
        if company is not None and company != ANY:
            self._companies.setdefault(company, []).append(rule)
            listed = True
        elif company == ANY:
            for start in {one[:2] for one in rule.starts if len(one) > 1}:
                self._companies.setdefault(start[0] | start[1] << 8, []).append(rule)
                listed = True
        if rule.source.service:
            self._services.setdefault(rule.source.service, []).append(rule)
            listed = True
        for pattern in () if listed else rule.patterns:
            start = pattern.split("*")[0]
            self._names.setdefault(start, []).append(rule)
            if len(start) not in self._sizes:
                self._sizes.append(len(start))


class _Rule:
    """One profile: what its adverts must show."""

    def __init__(self, name: str, profile: Profile) -> None:
        self.name = name
        self.source = Source(profile)
        self.patterns: list[str] = profile.ble.get("name", [])
        self._shapes = [] if "format" in profile.ble else [Shape(row) for row in profile.messages]
        starts = [one for row in profile.messages for one in row.get("start", [b""])]
        self.starts = [] if b"" in starts else starts

    def fits(self, advert: Advert) -> bool:
        """Return whether an advert may be of this profile; one without a name may have any."""
        if self.patterns and advert.name:
            if not [True for one in self.patterns if like(one, advert.name)]:
                return False
        if self.source.connects:  # what it offers is only seen when connected
            return self.source.service in advert.uuids or bool(self.patterns and advert.name)
        payload = self.source.payload(advert)
        if payload is None:
            return False
        if self.starts and not [True for one in self.starts if payload[: len(one)] == one]:
            return False
        return not self._shapes or bool([True for one in self._shapes if not one.refusal(payload)])


def like(pattern: str, name: str) -> bool:
    """Return whether a name is like a pattern, in which * stands for any text."""
    parts = pattern.split("*")
    if len(parts) == 1:
        return name == pattern
    if not name.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(parts[-1]) and name.endswith(parts[-1])
