"""The addresses of the inventory."""

from django.urls import path

from inventory.views import lists, starts

_INVENTORY = "w/<slug:slug>/inventory"
_SYNC = "w/<slug:slug>/tenants/<int:tenant_id>/sync"

urlpatterns = [
    path(f"{_INVENTORY}/policies/", lists.policy_list, name="policy_list"),
    path(f"{_INVENTORY}/policies/<int:policy_id>/", lists.policy_detail, name="policy_detail"),
    path(f"{_INVENTORY}/groups/", lists.group_list, name="group_list"),
    path(f"{_INVENTORY}/groups/<int:group_id>/", lists.group_detail, name="group_detail"),
    path(f"{_INVENTORY}/roles/", lists.role_definition_list, name="role_definition_list"),
    path(
        f"{_INVENTORY}/roles/<int:role_definition_id>/",
        lists.role_definition_detail,
        name="role_definition_detail",
    ),
    path(f"{_INVENTORY}/sync/", starts.workspace_inventory_sync, name="workspace_inventory_sync"),
    path(f"{_SYNC}/policies/", starts.inventory_sync, name="inventory_sync"),
    path(f"{_SYNC}/groups/", starts.directory_groups_sync, name="directory_groups_sync"),
    path(f"{_SYNC}/roles/", starts.role_definitions_sync, name="role_definitions_sync"),
]
