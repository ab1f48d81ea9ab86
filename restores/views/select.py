"""The page that selects the objects of a backup set to restore."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet
from operations.views.start import submission_of
from restores import services
from restores.bodies import Options
from restores.forms import OptionsForm
from restores.services import MAX_ITEMS
from restores.views.detail import mark_same_names
from tenancy.capabilities import require_capability
from tenancy.filtering import ListFilter
from tenancy.http import Request, form_page, render_checked
from tenancy.roles import Capability
from web.ids import parse_ids


@form_page
def restore_create(request: Request, slug: str, set_id: int) -> HttpResponse:
    """Select objects of a backup set and the options; posting the form starts the preview."""
    backup_sets = BackupSet.objects.visible_to(request.user).with_scope()
    backup_set = get_object_or_404(backup_sets, workspace__slug=slug, pk=set_id)
    require_capability(request.user, backup_set.workspace, Capability.RESTORE)
    is_filter = "filter" in request.POST
    form = OptionsForm(request.POST or None)
    if request.method == "POST" and not is_filter and form.is_valid():
        options = Options(form.cleaned_data["assignments"], form.cleaned_data["access_state"])
        try:
            restore, _ = services.start_preview(
                backup_set,
                _selected_items(request.POST, backup_set),
                options,
                by=request.user,
                submission=submission_of(request),
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect(restore)
    context: dict[str, Any] = {
        "workspace": backup_set.workspace,
        "section": "restores",
        "backup_set": backup_set,
        "form": form,
        "max_items": MAX_ITEMS,
        **_selection(request, backup_set),
    }
    is_rejected = context["errors"] or (form.errors and not is_filter)
    return render_checked(request, "restores/restore_create.html", context, errors=is_rejected)


def _selection(request: Request, backup_set: BackupSet) -> dict[str, Any]:
    """The restorable items of a set, searched and filtered; what was selected stays selected."""
    params = request.POST if request.method == "POST" else request.GET
    filters = ListFilter({} if params.get("filter") == "all" else params)
    search, kind = filters.text(), filters.one_of("kind", "Kind", backup_set.kinds)
    restorable = backup_set.items.filter(version__isnull=False)
    matches = restorable.none() if filters.errors else restorable
    if search:
        matches = matches.filter(Q(name__icontains=search) | Q(graph_id=search))
    if kind:
        matches = matches.filter(kind=kind)
    items = list(matches.order_by("kind", "name", "id")[:MAX_ITEMS])
    mark_same_names(items)
    selected = set(_selected_ids(params))
    counts = dict(restorable.order_by().values_list("kind").annotate(Count("pk")))
    kinds = [key for key in backup_set.kinds if key in counts]
    return {
        "errors": filters.errors,
        "items": items,
        "match_count": matches.count(),
        "kinds": [{"key": key, "label": label_of(key), "count": counts[key]} for key in kinds],
        "kind": kind,
        "search": search,
        "selected": selected,
        "selected_elsewhere": sorted(selected - {item.pk for item in items}),
        "whole_kinds": _whole_kinds(params, backup_set),
    }


def _selected_items(params: QueryDict, backup_set: BackupSet) -> list[BackupItem]:
    """The selected items, and all items of the kinds that were selected as a whole."""
    ids = _selected_ids(params)[: MAX_ITEMS + 1]
    is_selected = Q(pk__in=ids) | Q(kind__in=_whole_kinds(params, backup_set))
    items = backup_set.items.filter(is_selected, version__isnull=False)
    return list(items.order_by("pk")[: MAX_ITEMS + 1])


def _selected_ids(params: QueryDict) -> list[int]:
    """The ids of the checkboxes, and those of objects that the filter hides, in one field.

    A form may have fewer fields than a set has objects.
    """
    return parse_ids([*params.getlist("item"), *params.get("items", "").split(",")])


def _whole_kinds(params: QueryDict, backup_set: BackupSet) -> list[str]:
    return [kind for kind in params.getlist("all_of") if kind in backup_set.kinds]
