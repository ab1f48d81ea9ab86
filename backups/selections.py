"""Reading selected policies, one by one, as they are in the tenant now."""

from __future__ import annotations

from collections.abc import Iterator

from inventory.models import Policy
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import Gone, GraphError
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Captured, PolicyKind, in_sentence
from providers.handling import raise_if_blocking


def key_of(policy: Policy) -> str:
    """The policy as an item of a run."""
    return f"{policy.kind}/{policy.graph_id}"


def selected_of(run: ActiveRun) -> list[Policy]:
    """The policies that the run was asked for, as far as the inventory still holds them."""
    ids = run.context.get("selection", {}).get("ids", [])
    chosen = Policy.objects.with_scope().filter(tenant=run.tenant, pk__in=ids)
    return list(chosen.order_by("kind", "name", "pk"))


def captures(
    run: ActiveRun, client: GraphClient, policies: list[Policy]
) -> Iterator[tuple[Policy, PolicyKind, Captured]]:
    """Each policy as it was just read; those that could not be are reported to the run.

    Raises:
        Blocked: the tenant lets nothing of this connection in.
        StopRun: the run was asked to stop.
    """
    for policy in policies:
        run.checkpoint()
        kind = KIND.get(policy.kind)
        if kind is None:
            _failed(run, policy, SafeError("kind_unknown", kind=policy.kind))
            continue
        run.set_phase(f"Reading {in_sentence(kind.label_plural)}")
        try:
            yield policy, kind, kind.capture_one(client, policy.graph_id, policy.object_type)
        except Gone:
            gone = SafeError("removed_while_running")
            run.report_skip(key_of(policy), gone, label=policy.name, link=policy.get_absolute_url())
        except GraphError as error:
            raise_if_blocking(error)
            _failed(run, policy, error)


def _failed(run: ActiveRun, policy: Policy, error: SafeError) -> None:
    run.report_failure(key_of(policy), error, label=policy.name, link=policy.get_absolute_url())
