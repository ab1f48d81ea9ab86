"""Every page shows its times in one time zone, which is written at its end."""

from __future__ import annotations

import re

import pytest

from tenancy.models import User, Workspace
from tenancy.roles import Role
from tests.isolation.conftest import SignIn, World
from tests.support.routes import ROUTES

#: In neither zone a time looks like one in UTC.
OF_WORKSPACE, OF_USER = "Asia/Kathmandu", "Pacific/Chatham"
TIME = re.compile(r"<time(?P<clock> data-clock)?[^>]*?(?: title=\"(?P<title>[^\"]*)\")?>")


@pytest.mark.parametrize("zone", ["", OF_USER])
def test_every_page_shows_its_times_in_the_zone_of_the_user_or_of_the_workspace(
    world: World, sign_in: SignIn, zone: str
) -> None:
    owner = world.users[Role.OWNER]
    assert owner
    Workspace.objects.update(timezone=OF_WORKSPACE)
    User.objects.update(timezone=zone)
    shown, wrong = 0, []

    for route in (route for route in ROUTES if not route.post):
        user = world.users["staff"] if route.staff else owner
        response = sign_in(user).get(world.url(route, world.own_ids))
        if response.streaming or not response["Content-Type"].startswith("text/html"):
            continue
        html, expected = response.content.decode(), zone or OF_WORKSPACE
        if not zone and not route.ids:
            expected = "UTC"
        # The script adds the title of other elements, in the zone that the page names.
        zone_of_page = next(iter(re.findall(r'data-zone="([^"]*)"', html)), "")
        times = [
            match["title"] or zone_of_page for match in TIME.finditer(html) if not match["clock"]
        ]
        shown += len(times)
        wrong += [(route.name, title) for title in times if not title.endswith(expected)]
        if "<main" in html and f"Times in {expected}" not in html:
            wrong.append((route.name, "the end of the page"))

    assert shown > 100
    assert wrong == []
