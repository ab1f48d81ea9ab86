"""The ledger agrees with a simple model after any sequence of operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from operations.maintenance import reconciler
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.states import Ending
from operations.worker import retrying
from tenancy.models import Tenant, User
from tests.support.database import delete_rows
from tests.support.factories import TenantFactory, UserFactory
from tests.support.factories.operations import RETRY, build_request
from tests.support.properties import examples

pytestmark = pytest.mark.django_db(transaction=True)

PROBLEMS = ("failed", "partially_succeeded", "blocked")


@dataclass
class Model:
    """The expected state of one run."""

    tenant: int
    schedule: int
    status: str = "queued"
    outcome: str = "pending"
    succeeded: int = 0
    failed: int = 0
    was_claimed: bool = False
    cancel_requested: bool = False
    attempts: int = 1
    is_lost: bool = False
    #: A later run of its identity succeeded, or had a problem.
    recovered: bool = False
    superseded: bool = False
    acknowledged: bool = False
    event_counts: Counter[str] = field(default_factory=lambda: Counter(created=1))

    @property
    def identity(self) -> tuple[int, int]:
        return self.tenant, self.schedule

    @property
    def is_active(self) -> bool:
        return self.status != "completed"

    @property
    def is_open_problem(self) -> bool:
        return self.outcome in PROBLEMS and not self.recovered

    @property
    def needs_attention(self) -> bool:
        return self.is_open_problem and not self.superseded and not self.acknowledged

    def end(self, outcome: str, kind: str = "ended") -> None:
        self.status, self.outcome = "completed", outcome
        self.event_counts[kind] += 1


def outcome_of(model: Model, ending: Ending) -> str:
    """Derive the outcome as the documentation describes it, independently of the code."""
    if ending == Ending.CANCELLED:
        return "cancelled"
    if ending == Ending.ERROR:
        return "failed"
    if ending == Ending.BLOCKED:
        if model.succeeded:
            return "partially_succeeded"
        return "failed" if model.failed else "blocked"
    if not model.failed:
        return "succeeded"
    return "partially_succeeded" if model.succeeded else "failed"


class Ledger(RuleBasedStateMachine):
    """Two tenants with two schedules each; every rule is one possible operation."""

    tenants: tuple[Tenant, Tenant]
    user: User
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.service = OperationRunService()
        self.models: dict[int, Model] = {}

    # --- users ------------------------------------------------------------------------------------

    @rule(target=runs, tenant=st.integers(0, 1), schedule=st.integers(1, 2))
    def dispatch(self, tenant: int, schedule: int) -> Any:
        result = self.service.ensure_run(build_request(self.tenants[tenant], schedule))
        active = self._active((tenant, schedule))
        if active is None:
            assert result.created
            self.models[result.run.pk] = Model(tenant, schedule)
            return result.run.pk
        assert (result.run.pk, result.created) == (active, False)
        self.models[active].event_counts["joined"] += 1
        return multiple()

    @rule(run_id=runs)
    def cancel(self, run_id: int) -> None:
        model, run = self.models[run_id], OperationRun.objects.get(pk=run_id)
        if not model.is_active:
            with pytest.raises(RunNoLongerActive):
                self.service.request_cancel(run, by=self.user)
            return
        self.service.request_cancel(run, by=self.user)
        if model.status == "queued":
            self._end(model, "cancelled", "cancelled")
        elif not model.cancel_requested:
            model.cancel_requested = True
            model.event_counts["cancel_requested"] += 1

    @rule(target=runs, run_id=runs)
    def retry(self, run_id: int) -> Any:
        model, run = self.models[run_id], OperationRun.objects.get(pk=run_id)
        if model.is_active or model.outcome == "succeeded" or model.recovered:
            with pytest.raises(NotRetryable):
                self.service.retry(run, by=self.user)
            return multiple()
        active = self._active(model.identity)
        result = self.service.retry(run, by=self.user)
        if active is not None:
            assert (result.run.pk, result.created) == (active, False)
            self.models[active].event_counts["joined"] += 1
            return multiple()
        assert result.created
        assert (result.run.retry_of_id, result.run.type) == (run_id, RETRY)
        self.models[result.run.pk] = Model(*model.identity)
        return result.run.pk

    @rule(run_id=runs)
    def acknowledge(self, run_id: int) -> None:
        run = OperationRun.objects.get(pk=run_id)
        was_acknowledged = run.acknowledged_at is not None
        acknowledged = self.service.acknowledge(run, by=self.user)
        model = self.models[run_id]
        if model.is_open_problem and not was_acknowledged:
            model.acknowledged = True
            model.event_counts["acknowledged"] += 1
        assert (acknowledged.acknowledged_at is not None) == model.acknowledged

    # --- workers ----------------------------------------------------------------------------------

    @rule(run_id=runs)
    def claim(self, run_id: int) -> None:
        model = self.models[run_id]
        claimed = self.service.claim(run_id, "worker")
        assert (claimed is not None) == (model.status == "queued")
        if claimed:
            assert not model.was_claimed
            model.status, model.was_claimed = "running", True
            model.event_counts["started"] += 1

    @rule(run_id=runs)
    def heartbeat(self, run_id: int) -> None:
        model = self.models[run_id]
        if model.status != "running":
            with pytest.raises(RunNoLongerActive):
                self.service.heartbeat(run_id)
            return
        assert self.service.heartbeat(run_id) == model.cancel_requested
        model.is_lost = False

    @rule(run_id=runs, success=st.booleans())
    def report(self, run_id: int, success: bool) -> None:
        model = self.models[run_id]
        counts = {"total": 1, "processed": 1, "succeeded" if success else "failed": 1}
        if model.status != "running":
            with pytest.raises(RunNoLongerActive):
                self.service.increment_summary_counts(run_id, **counts)
            return
        self.service.increment_summary_counts(run_id, **counts)
        model.is_lost = False
        model.succeeded += success
        model.failed += not success

    @rule(run_id=runs, ending=st.sampled_from(list(Ending)))
    def finish(self, run_id: int, ending: Ending) -> None:
        """Complete a run as its worker does, in time or long after the run was ended elsewhere."""
        model = self.models[run_id]
        error = SafeError("lease_lost") if ending in (Ending.ERROR, Ending.BLOCKED) else None
        if model.status != "running":
            with pytest.raises(RunNoLongerActive):
                self.service.complete(run_id, ending=ending, error=error)
            return
        self.service.complete(run_id, ending=ending, error=error)
        was_stopped = error is not None and model.cancel_requested
        self._end(model, "cancelled" if was_stopped else outcome_of(model, ending))

    # --- time -------------------------------------------------------------------------------------

    @precondition(lambda self: any(model.status == "running" for model in self.models.values()))
    @rule(run_id=runs)
    def expire_lease(self, run_id: int) -> None:
        if self.models[run_id].status == "running":
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE operation_runs SET heartbeat_at = now() - interval '1 hour'"
                    " WHERE id = %s",
                    [run_id],
                )
            self.models[run_id].is_lost = True

    @rule(target=runs)
    def reconcile(self) -> Any:
        lost = [
            run_id for run_id, model in self.models.items() if model.is_lost and model.is_active
        ]
        ended = reconciler.reconcile()
        assert ended.total() == len(lost)
        retries = []
        for run_id in lost:
            model = self.models[run_id]
            self._end(model, "cancelled" if model.cancel_requested else "failed")
            if model.cancel_requested:
                continue
            if model.attempts >= retrying.MAX_ATTEMPTS:
                model.event_counts["retry_given_up"] += 1
                continue
            retry = OperationRun.objects.get(retry_of=run_id)
            self.models[retry.pk] = Model(*model.identity, attempts=model.attempts + 1)
            retries.append(retry.pk)
        return multiple(*retries)

    # --- invariants -------------------------------------------------------------------------------

    @invariant()
    def an_identity_has_at_most_one_active_run(self) -> None:
        active = Counter(
            OperationRun.objects.active().values_list("tenant_id", "run_identity_hash")
        )
        assert not active or max(active.values()) == 1

    @invariant()
    def the_ledger_agrees_with_the_model(self) -> None:
        rows = {run.pk: run for run in OperationRun.objects.all()}
        assert rows.keys() == self.models.keys()
        for run_id, model in self.models.items():
            run = rows[run_id]
            assert (run.status, run.outcome) == (model.status, model.outcome)
            assert (run.completed_at is not None) == (not model.is_active)
            assert (run.counts.succeeded, run.counts.failed) == (model.succeeded, model.failed)
            assert Counter(run.events.values_list("kind", flat=True)) == model.event_counts

    @invariant()
    def one_problem_of_an_identity_needs_attention(self) -> None:
        expected = {run_id for run_id, model in self.models.items() if model.needs_attention}
        runs = list(OperationRun.objects.needs_attention())
        assert {run.pk for run in runs} == expected
        assert max(Counter(run.run_identity_hash for run in runs).values(), default=1) == 1

    def _end(self, model: Model, outcome: str, kind: str = "ended") -> None:
        """End a run, and resolve the earlier problems of its identity."""
        earlier = [
            other
            for other in self.models.values()
            if other.identity == model.identity and other.is_open_problem
        ]
        model.end(outcome, kind)
        for problem in earlier:
            if outcome == "succeeded":
                problem.recovered = True
                problem.event_counts["recovered"] += 1
            problem.superseded |= outcome in PROBLEMS

    def _active(self, identity: tuple[int, int]) -> int | None:
        run_ids = [
            run_id
            for run_id, model in self.models.items()
            if model.identity == identity and model.is_active
        ]
        return run_ids[0] if run_ids else None

    def teardown(self) -> None:
        delete_rows(["operation_run_items", "operation_run_events", "operation_runs"])


@pytest.mark.long
def test_the_ledger_agrees_with_the_model(tenant: Tenant) -> None:
    Ledger.tenants = (tenant, TenantFactory(workspace=tenant.workspace))
    Ledger.user = UserFactory()

    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
