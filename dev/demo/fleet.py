"""The fleet: a second workspace with many tenants and a month of history.

Most tenants are steady. Some have a story, so that every state of a page occurs. All names are
invented.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum, auto

NAME, SLUG, TIMEZONE = "Nordic Fleet Services", "fleet", "Europe/Berlin"
KINDS = ("device_configuration", "compliance", "named_location", "conditional_access")
#: Every kind that the Graph sandbox would otherwise fill with many objects.
SIZES = {
    "settings_catalog": 0,
    "device_configuration": 4,
    "compliance": 3,
    "linux_compliance": 0,
    "conditional_access": 3,
    "named_location": 2,
    "app_protection": 0,
    "groups": 6,
    "role_definitions": 2,
    "assignment_filters": 1,
    "scope_tags": 1,
}
DEFAULT_TENANTS, FEWEST_TENANTS, MOST_TENANTS = 150, 30, 1000
DEFAULT_NIGHTS, FEWEST_NIGHTS, MOST_NIGHTS = 30, 14, 60

#: The permission that some tenants lose, and the kinds that cannot be read without it.
PERMISSION = "Policy.Read.All"
PERMISSION_KINDS = ("named_location", "conditional_access")

#: Microsoft Graph was unavailable in one night, between these times of day in UTC.
OUTAGE_NIGHTS_AGO = 4
OUTAGE = (dt.time(0, 20), dt.time(2, 10))


class Story(Enum):
    """What sets a tenant apart from the steady ones."""

    STEADY = auto()
    #: The client secret has expired.
    EXPIRED = auto()
    #: A permission is missing, so every backup is incomplete.
    FORBIDDEN = auto()
    #: The schedule is paused.
    PAUSED = auto()
    #: The tenant is suspended.
    SUSPENDED = auto()
    #: The tenant is new and has no schedule.
    NEW = auto()


#: The stories, and how many nights ago each began; None: it began with the history.
STORIES: tuple[tuple[Story, int | None], ...] = (
    (Story.FORBIDDEN, None),
    (Story.EXPIRED, 9),
    (Story.PAUSED, 12),
    (Story.NEW, 6),
    (Story.FORBIDDEN, 5),
    (Story.SUSPENDED, 10),
    (Story.EXPIRED, 3),
    (Story.NEW, 2),
    (Story.FORBIDDEN, None),
    (Story.PAUSED, 8),
    (Story.NEW, 1),
)


@dataclass(frozen=True, kw_only=True)
class FleetTenant:
    """A tenant with its schedule; its story began some nights ago."""

    name: str
    schedule: str
    cron: str
    timezone: str
    objective_hours: int | None = None
    story: Story = Story.STEADY
    nights_ago: int | None = None


_PLACES = [
    "Aalborg",
    "Bergen",
    "Drammen",
    "Elverum",
    "Falun",
    "Gothenburg",
    "Helsinki",
    "Imatra",
    "Jönköping",
    "Kiruna",
    "Lahti",
    "Malmö",
    "Narvik",
    "Odense",
    "Porvoo",
    "Rauma",
    "Stavanger",
    "Tampere",
    "Uppsala",
    "Visby",
    "Ystad",
    "Örebro",
    "Arendal",
    "Bodø",
    "Esbjerg",
]
_TRADES = [
    "Logistics",
    "Dental",
    "Foods",
    "Marine",
    "Energy",
    "Textiles",
    "Clinic",
    "Robotics",
    "Timber",
    "Media",
    "Hotels",
    "Insurance",
    "Schools",
    "Optics",
    "Legal",
    "Airways",
    "Breweries",
    "Housing",
    "Analytics",
    "Farming",
    "Ferries",
    "Glass",
    "Pharmacy",
    "Steel",
    "Printing",
    "Security",
    "Software",
    "Museums",
    "Bakery",
    "Rail",
    "Plastics",
    "Retail",
    "Finance",
    "Forestry",
    "Cycling",
    "Furniture",
    "Ceramics",
    "Mining",
    "Seafood",
    "Transport",
]


def fleet_tenants(count: int) -> list[FleetTenant]:
    """Return the tenants, the same each time; the stories are spread evenly among them."""
    step = count // (len(STORIES) + 1)
    stories = {step * (at + 1): story for at, story in enumerate(STORIES)}
    tenants = []
    for number in range(count):
        story, nights_ago = stories.get(number, (Story.STEADY, None))
        schedule, cron = _times(number) if story is Story.STEADY else _nightly(number)
        tenants.append(
            FleetTenant(
                name=_name(number),
                schedule=schedule,
                cron=cron,
                timezone=_timezone(number),
                objective_hours=16 if schedule == "Twice a day" else None,
                story=story,
                nights_ago=nights_ago,
            )
        )
    return tenants


def _name(number: int) -> str:
    # Every place meets every trade once, then the names get a number.
    group, place = divmod(number, len(_PLACES))
    name = f"{_PLACES[place]} {_TRADES[(place * 7 + group) % len(_TRADES)]}"
    repetition = group // len(_TRADES)
    return f"{name} {repetition + 1}" if repetition else name


def _timezone(number: int) -> str:
    return {3: "Europe/Helsinki", 7: "America/Chicago"}.get(number % 10, TIMEZONE)


def _times(number: int) -> tuple[str, str]:
    nightly, cron = _nightly(number)
    minute, hour, *_ = cron.split()
    if number % 12 == 5:
        return "Twice a day", f"{minute} {hour},{int(hour) + 12} * * *"
    if number % 15 == 4:
        return "Sundays", f"{minute} {hour} * * 0"
    return nightly, cron


def _nightly(number: int) -> tuple[str, str]:
    return "Nightly", f"{number * 5 % 60} {1 + number % 4} * * *"
