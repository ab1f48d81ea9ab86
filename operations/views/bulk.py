"""Retry, acknowledge or cancel many runs: a preview first, and a result for each run after.

The preview is a GET request for the selected runs, or for all that match the filter. Its form posts
the ids of the runs that the action changes, so that exactly what was shown is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from operations.bulk import ACKNOWLEDGE, CANCEL, NOT_PERMITTED, RETRY, BulkAction, Order, Result
from operations.forms import AcknowledgeForm
from operations.models import OperationRun, OperationRunQuerySet
from operations.views.list_version import LIST_SECONDS
from operations.views.listing import MAX_BULK, build_run_filter, list_query
from operations.views.start import submission_of
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.http import Request, form_page, workspace_or_404
from tenancy.models import Workspace
from web.ids import parse_ids
from web.keyset import having_ids
from web.statement_timeout import TookTooLong, statement_timeout

Row = tuple[OperationRun, Result]
Runs = list[OperationRun]


class SelectionError(Exception):
    """The filter selects no runs; the messages say why."""

    def __init__(self, *messages: str, status: int = 400) -> None:
        self.messages = messages
        self.status = status
        super().__init__(*messages)


@form_page
def run_cancel_many(request: Request, slug: str) -> HttpResponse:
    """Cancel the selected runs."""
    return _page_of_list(request, slug, CANCEL)


@form_page
def run_retry_many(request: Request, slug: str) -> HttpResponse:
    """Retry the selected runs."""
    return _page_of_list(request, slug, RETRY)


@form_page
def run_acknowledge_many(request: Request, slug: str) -> HttpResponse:
    """Remove the selected runs from “Needs attention”."""
    return _page_of_list(request, slug, ACKNOWLEDGE)


def _page_of_list(request: Request, slug: str, action: BulkAction) -> HttpResponse:
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, action.capability)
    query = list_query(request.GET).urlencode()
    address = reverse("run_list", args=[slug])
    bulk_page = BulkPage(
        action=action,
        workspace=workspace,
        among=OperationRun.objects.visible_to(request.user).filter(workspace=workspace),
        section="runs",
        nothing="No runs are selected. Select runs in the list, or all that match its filter.",
        back=(f"{address}?{query}" if query else address, "Runs"),
    )
    if request.method == "POST":
        return bulk_page.perform(request)
    try:
        return bulk_page.preview(request, _suggested(request, bulk_page))
    except SelectionError as error:
        return bulk_page.refuse(request, error)


def _suggested(request: Request, bulk_page: BulkPage) -> Runs:
    """The selected runs, or the newest of all that match the filter of the list.

    Raises:
        SelectionError: the filter is not valid, or it took too long.
    """
    if request.GET.get("all") != "1":
        return bulk_page.selected(request.GET.getlist("run"))
    run_filter = build_run_filter(request, request.GET, bulk_page.workspace)
    if not run_filter.is_valid():
        raise SelectionError(*run_filter.error_messages)
    try:
        with statement_timeout(LIST_SECONDS):
            selection = run_filter.select()
            return selection.newest(selection.runs.with_scope(), MAX_BULK)
    except TookTooLong:
        raise SelectionError("The search took too long.", status=503) from None


@dataclass(frozen=True)
class BulkPage:
    """The pages of an action: its preview and its results.

    `among`: the runs that can be selected; `nothing`: the text of a preview without runs; `back`:
    address and label of the page that leads here.
    """

    action: BulkAction
    workspace: Workspace
    among: OperationRunQuerySet
    section: str
    nothing: str
    back: tuple[str, str]

    def selected(self, ids: Sequence[str]) -> Runs:
        """Return the runs with these ids, newest first.

        Raises:
            BadRequest: a text is not an id, or there are too many.
            Http404: one of the runs does not exist here; nothing was changed.
        """
        numbers = set(parse_ids(ids))
        if len(numbers) != len(set(ids)) or len(numbers) > MAX_BULK:
            raise BadRequest(f"Select at most {MAX_BULK} runs.")
        runs = list(having_ids(self.among.with_scope().newest_first(), numbers))
        if len(runs) != len(numbers):
            raise Http404
        return runs

    def preview(
        self, request: Request, runs: Runs, form: AcknowledgeForm | None = None
    ) -> HttpResponse:
        """Show what the action would do with each run."""
        rows = self._rows(request, runs, self.action.preview)
        if form is None and self.action.has_note:
            form = AcknowledgeForm(workspace=self.workspace)
        context = {
            "form": form,
            "ready": [run for run, result in rows if result.changes],
            "is_limited": len(runs) == MAX_BULK,
            "max_bulk": MAX_BULK,
        }
        status = 400 if form is not None and form.errors else 200
        return self._render(request, "operations/bulk_preview.html", rows, context, status)

    def perform(self, request: Request) -> HttpResponse:
        """Do it with the runs of the form, and show what happened to each."""
        runs = self.selected(request.POST.getlist("run"))
        order = Order(by=request.user, submission=submission_of(request))
        if self.action.has_note:
            form = AcknowledgeForm(request.POST, workspace=self.workspace)
            if not form.is_valid():
                return self.preview(request, runs, form)
            order = replace(order, **form.cleaned_data)
        rows = self._rows(request, runs, lambda permitted: self.action.perform(permitted, order))
        return self._render(request, "operations/bulk_results.html", rows, {})

    def refuse(self, request: Request, error: SelectionError) -> HttpResponse:
        """Say why the filter selects no runs."""
        context = {"errors": error.messages}
        return self._render(request, "operations/bulk_preview.html", [], context, error.status)

    def _rows(
        self, request: Request, runs: Runs, results_of: Callable[[Runs], Iterator[Result]]
    ) -> list[Row]:
        """Return each run with its result; those that the action changes come first."""
        allowed = capabilities_of(request.user, self.workspace)
        permitted = [run for run in runs if self.action.is_permitted(run, request.user, allowed)]
        results = dict(zip(permitted, results_of(permitted), strict=True))
        rows = [(run, results.get(run, NOT_PERMITTED)) for run in runs]
        return sorted(rows, key=lambda row: not row[1].changes)

    def _render(
        self,
        request: Request,
        template: str,
        rows: list[Row],
        context: dict[str, Any],
        status: int = 200,
    ) -> HttpResponse:
        counts = Counter((result.text, result.changes) for _, result in rows)
        context |= {
            "workspace": self.workspace,
            "section": self.section,
            "action": self.action,
            "nothing": self.nothing,
            "rows": rows,
            "counts": [(text, changes, count) for (text, changes), count in counts.items()],
            "back_url": self.back[0],
            "back_label": self.back[1],
        }
        return render(request, template, context, status=status)
