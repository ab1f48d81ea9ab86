"""Replace an object that a tenant lacks with another one, for every restore of the tenant."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.services import DispatchResult
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence
from restores import services
from restores.models import Replacement, RestoreRun
from tenancy.models import User

#: The kinds that the inventory mirrors into separate tables.
_TABLES: dict[str, Any] = {
    "groups": DirectoryGroup.objects,
    "role_definitions": RoleDefinition.objects,
}


@transaction.atomic
def replace_missing(
    restore: RestoreRun, *, kind: str, missing_id: str, replacement: str, by: User
) -> tuple[RestoreRun, DispatchResult]:
    """Choose what restores of the tenant refer to in place of a missing object; preview again.

    `replacement` is the name or id of an object in the inventory; empty removes the choice. Of a
    kind that is never listed, it is an id, which the preview looks up.

    Raises:
        ValidationError: the restore is no longer in preview, it does not lack the object, or the
            inventory has no such replacement or several.
    """
    replacements = Replacement.objects.filter(
        tenant=restore.tenant_id, kind=kind, missing_id=missing_id
    )
    if not replacement:
        if not replacements.delete()[0]:
            raise ValidationError("This object has no replacement.")
        return services.preview_again(restore, by=by)
    lacking = {"kind": kind, "id": missing_id}
    if kind not in KIND or not any(lacking in item.missing for item in restore.items.all()):
        raise ValidationError("No object of this restore lacks this one.")
    replacement_id, name = _find(restore.tenant_id, kind, replacement)
    if replacement_id == missing_id:
        raise ValidationError("This is the missing object itself. Choose another one.")
    replacements.update_or_create(
        defaults={"replacement_id": replacement_id, "name": name},
        create_defaults={
            "workspace_id": restore.workspace_id,
            "tenant_id": restore.tenant_id,
            "kind": kind,
            "missing_id": missing_id,
            "replacement_id": replacement_id,
            "name": name,
        },
    )
    return services.preview_again(restore, by=by)


def _find(tenant_id: int, kind: str, name_or_id: str) -> tuple[str, str]:
    """Return the id and name of the only present object of this kind with this name or id.

    Raises:
        ValidationError: there is none, or several.
    """
    label = in_sentence(KIND[kind].label)
    if KIND[kind].looked_up_at:
        return _as_id(name_or_id, label), ""
    rows: Any = _TABLES.get(kind, Policy.objects.filter(kind=kind))
    present = rows.present().filter(tenant=tenant_id)
    matches = list(present.filter(Q(graph_id=name_or_id) | Q(name=name_or_id))[:2])
    if not matches:
        raise ValidationError(
            f"The inventory has no {label} with this name or id. Sync it first if it is new."
        )
    if len(matches) > 1:
        raise ValidationError(f"More than one {label} has this name. Enter the id.")
    return matches[0].graph_id, matches[0].name


def _as_id(text: str, label: str) -> str:
    """Return an id as Graph writes it.

    Raises:
        ValidationError: it is none.
    """
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        article = "an" if label[0] in "aeio" else "a"
        raise ValidationError(f"Enter the id of {article} {label}, a GUID.") from None
