"""What the demo consists of: one workspace, its people, and tenants of the Graph sandbox.

Every name is invented. Nothing here is imported by the product but the `demo_data` command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenancy.roles import Role

WORKSPACE = ("Alpine Managed Services", "alpine", "Europe/Berlin")

#: Username, full name, role in the workspace.
PEOPLE = (
    ("rita", "Rita Lindqvist", Role.READER),
    ("olga", "Olga Brandt", Role.OPERATOR),
    ("marc", "Marc Delacroix", Role.MANAGER),
    ("owen", "Owen Achterberg", Role.OWNER),
)
#: Support, which sees the administration and no workspace.
STAFF = ("sara", "Sara Novak")

INTUNE = ("settings_catalog", "device_configuration", "compliance")
ACCESS = ("named_location", "conditional_access")
SMALL = {"settings_catalog": 6, "device_configuration": 4, "compliance": 3, "groups": 40}


@dataclass(frozen=True, kw_only=True)
class DemoTenant:
    """A tenant, its one schedule, what its connection may do, and what happens there."""

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
    # The first backup comes by itself within a minute, and every minute after that.
    DemoTenant(
        name="Fabrikam Manufacturing",
        schedule="Every minute",
        cron="* * * * *",
        sizes=SMALL,
        keep_sets=10,
        keep_days=1,
        may_write=True,
        # Something to see under “What changed”, and something to restore.
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
