"""Administrative units of the directory, without their members."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

_SELECT = {
    "$select": "id,displayName,description,visibility,membershipType,membershipRule,"
    "membershipRuleProcessingState,isMemberManagementRestricted"
}

KIND = PolicyKind(
    key="administrative_units",
    label="Administrative unit",
    label_plural="Administrative units",
    list_path="/v1.0/directory/administrativeUnits",
    list_params=_SELECT,
    detail_params=_SELECT,
    read_permission="AdministrativeUnit.Read.All",
    restore=Restore.PREVIEW_ONLY,
    service=Service(page=100, max_page=999, writes=()),
    samples=(
        {
            "displayName": "Branches in the north",
            "description": "Help desk of the north",
            "visibility": None,
            "membershipType": "Dynamic",
            "membershipRule": '(user.country -eq "Norway")',
            "membershipRuleProcessingState": "On",
            "isMemberManagementRestricted": False,
        },
    ),
)
