"""The sites as fixtures: skipped by name where they cannot be had, unless they are required."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sites.site import NEEDS, Site, missing

REQUIRE = "SITE_TESTS_REQUIRE"


def required() -> set[str]:
    """The sites that must be there, from the environment."""
    names = {name.strip() for name in os.environ.get(REQUIRE, "").split(",")} - {""}
    if unknown := names - NEEDS.keys():
        pytest.fail(f"{REQUIRE}: no site is called {', '.join(sorted(unknown))}; there are {', '.join(NEEDS)}")
    return names


def whole_session(kind: str) -> Iterator[Site]:
    """Bring a site up, for the session."""
    if why := missing(kind):
        if kind in required():
            pytest.fail(f"{why} ({REQUIRE} asks for {kind})", pytrace=False)
        pytest.skip(why)
    site = Site(kind)
    try:
        yield site
    finally:
        site.close()


def one_test(site: Site) -> Iterator[Site]:
    """Lend a site to a test: what is left on it is that test's error."""
    yield site
    if left := site.leftovers():
        pytest.fail(f"left on {site.kind} by this test: {', '.join(left)}", pytrace=False)


@pytest.fixture(scope="session")
def slurm_of_session() -> Iterator[Site]:
    """A private Slurm."""
    yield from whole_session("slurm")


@pytest.fixture(scope="session")
def gridengine_of_session() -> Iterator[Site]:
    """A private Grid Engine."""
    yield from whole_session("gridengine")


@pytest.fixture(scope="session")
def hosts_of_session() -> Iterator[Site]:
    """Hosts in a private network."""
    yield from whole_session("hosts")


@pytest.fixture
def slurm_site(slurm_of_session: Site) -> Iterator[Site]:
    """A private Slurm of two nodes, with an empty queue."""
    yield from one_test(slurm_of_session)


@pytest.fixture
def gridengine_site(gridengine_of_session: Site) -> Iterator[Site]:
    """A private Grid Engine of two execution hosts, with an empty queue."""
    yield from one_test(gridengine_of_session)


@pytest.fixture
def hosts_site(hosts_of_session: Site) -> Iterator[Site]:
    """Three hosts with sshd, nothing running on them."""
    yield from one_test(hosts_of_session)
