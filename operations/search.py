"""The search for runs: by number, by the reference of an error, by a request ID of Graph."""

from __future__ import annotations

import re

from django.db.models import CharField, Func

from operations.models import OperationRun, OperationRunItem, OperationRunQuerySet
from tenancy.models import User
from tenancy.search import MAX_HITS, Hit, search_source
from web.ids import parse_id

_REFERENCE = re.compile(r"[0-9a-f]{12}")
_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,100}")


class Reference(Func):
    """The reference in the failures of a run, as the index `runs_reference` has it."""

    template = r"substring(%(expressions)s::text from '\(reference ([0-9a-f]{12})\)')"
    output_field = CharField()


@search_source("Runs", order=10)
def runs(user: User, text: str) -> list[Hit]:
    """The run with this number, and the runs with this reference or request ID."""
    visible = OperationRun.objects.visible_to(user).with_scope()
    hits = []
    if (number := parse_id(text)) is not None:
        hits += _hits(visible.filter(pk=number))
    if _REFERENCE.fullmatch(text):
        hits += _hits(
            visible.annotate(reference=Reference("failure_summary")).filter(reference=text)
        )
    if _REQUEST_ID.fullmatch(text):
        items = OperationRunItem.objects.filter(request_id=text).values("run_id")[:MAX_HITS]
        hits += _hits(visible.filter(pk__in=items))
    return hits[:MAX_HITS]


def _hits(runs: OperationRunQuerySet) -> list[Hit]:
    return [
        Hit(
            f"#{run.pk} {run.label}",
            f"{run.tenant or 'Whole workspace'} · {run.workspace}",
            run.get_absolute_url(),
        )
        for run in runs[:MAX_HITS]
    ]
