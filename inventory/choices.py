"""The filter menus of the inventory's lists."""

from django.db.models import Q

from inventory.filters import Choice
from inventory.kinds import POLICY_KINDS
from inventory.models import GroupType

POLICY_CHOICES = (
    Choice(
        "kind",
        "Kind",
        "Any kind",
        {key: kind.label_plural for key, kind in POLICY_KINDS.items()},
        {key: Q(kind=key) for key in POLICY_KINDS},
    ),
    Choice(
        "assigned",
        "Assigned",
        "Any assignment",
        {"yes": "Assigned", "no": "Not assigned"},
        {"yes": Q(is_assigned=True), "no": Q(is_assigned=False)},
    ),
)
GROUP_CHOICES = (
    Choice(
        "type",
        "Type",
        "Any type",
        dict(GroupType.choices),
        {value: Q(group_type=value) for value in GroupType.values},
    ),
    Choice(
        "membership",
        "Membership",
        "Any membership",
        {"dynamic": "Dynamic", "assigned": "Assigned"},
        {"dynamic": Q(is_dynamic=True), "assigned": Q(is_dynamic=False)},
    ),
)
ROLE_CHOICES = (
    Choice(
        "source",
        "Source",
        "Any source",
        {"built_in": "Built-in", "custom": "Custom"},
        {"built_in": Q(is_built_in=True), "custom": Q(is_built_in=False)},
    ),
)
