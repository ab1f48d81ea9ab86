"""The demo data: one workspace, its users, and tenants of the Graph sandbox.

All names are invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenancy.roles import Role

WORKSPACE = ("Alpine Managed Services", "alpine", "Europe/Berlin")

#: Username, full name, role in the workspace.
MEMBERS = (
    ("rita", "Rita Lindqvist", Role.READER),
    ("olga", "Olga Brandt", Role.OPERATOR),
    ("marc", "Marc Delacroix", Role.MANAGER),
    ("owen", "Owen Achterberg", Role.OWNER),
)
#: A support user, who can open the administration site but is in no workspace.
STAFF = ("sara", "Sara Novak")

INTUNE = ("settings_catalog", "device_configuration", "compliance")
ACCESS = ("named_location", "conditional_access")
SMALL = {"settings_catalog": 6, "device_configuration": 4, "compliance": 3, "groups": 40}


@dataclass(frozen=True, kw_only=True)
class DemoTenant:
    """A tenant with its schedule, the permissions of its connection, and its faults."""

    name: str
    schedule: str
    cron: str
    kinds: tuple[str, ...] = INTUNE + ACCESS
    sizes: Mapping[str, int] = field(default_factory=lambda: {"groups": 40})
    without_permission: str = ""
    may_write: bool = False
    #: By name, with their options; see `dev.graph_sandbox.faults`.
    faults: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    paused: str = ""
    keep_sets: int = 30
    keep_days: int = 90


TENANTS = (
    # The first backup starts within a minute, and then every minute.
    DemoTenant(
        name="Fabrikam Manufacturing",
        schedule="Every minute",
        cron="* * * * *",
        sizes=SMALL,
        keep_sets=10,
        keep_days=1,
        may_write=True,
        # Changes to compare and to restore.
        faults={
            "edited": {"kind": "settings_catalog", "every": 3},
            "removed": {"kind": "compliance", "every": 4, "times": 1},
        },
    ),
    DemoTenant(name="Northwind Traders", schedule="Nightly", cron="30 2 * * *"),
    DemoTenant(
        name="Adatum Health",
        schedule="Every six hours",
        cron="15 */6 * * *",
        without_permission="Policy.Read.All",
    ),
    DemoTenant(
        name="Tailspin Toys",
        schedule="Weekdays",
        cron="0 3 * * 1-5",
        sizes=SMALL,
        faults={"expire_credential": {}},
    ),
    DemoTenant(
        name="Litware Legal",
        schedule="Twice a day",
        cron="0 6,18 * * *",
        kinds=ACCESS,
        sizes=SMALL,
    ),
    DemoTenant(
        name="Wingtip Logistics",
        schedule="Weekly",
        cron="0 4 * * 0",
        sizes=SMALL,
        paused="Being moved to another tenant this month",
    ),
)
