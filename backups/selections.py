"""Read selected policies from the tenant, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from inventory.models import Policy
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, ObjectNotFound
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Capture, PolicyKind, in_sentence
from providers.handling import raise_if_blocking, read_many


def key_of(policy: Policy) -> str:
    """Return the key of the policy as an item of a run."""
    return f"{policy.kind}/{policy.graph_id}"


def selected_of(run: ActiveRun) -> list[Policy]:
    """Return the selected policies of the run that the inventory still contains."""
    ids = run.context.get("selection", {}).get("ids", [])
    selected = Policy.objects.filter(tenant=run.tenant, pk__in=ids).order_by("kind", "name", "pk")
    policies = list(selected)
    for policy in policies:
        # One object of each for all policies, of which there can be thousands.
        policy.tenant, policy.workspace = run.tenant, run.workspace
    return policies


def captures(
    run: ActiveRun, client: GraphClient, policies: list[Policy]
) -> Iterator[tuple[Policy, PolicyKind, Capture]]:
    """Read each policy; report those that cannot be read to the run.

    Raises:
        Blocked: the tenant rejects the connection.
        StopRun: the run was asked to stop.
    """
    reads = (partial(_capture, policy) for policy in policies if policy.kind in KIND)
    with read_many(run, client, reads) as outcomes:
        for policy in policies:
            run.checkpoint()
            kind = KIND.get(policy.kind)
            if kind is None:
                _report_failed(run, policy, SafeError("kind_unknown", kind=policy.kind))
                continue
            run.set_phase(f"Reading {in_sentence(kind.label_plural)}")
            try:
                yield policy, kind, next(outcomes).get()
            except ObjectNotFound:
                reason = SafeError("removed_while_running")
                run.report_skip(
                    key_of(policy), reason, label=policy.name, link=policy.get_absolute_url()
                )
            except GraphError as error:
                raise_if_blocking(error)
                _report_failed(run, policy, error)


def _capture(policy: Policy, client: GraphClient) -> Capture:
    return KIND[policy.kind].capture_one(client, policy.graph_id, policy.object_type)


def _report_failed(run: ActiveRun, policy: Policy, error: SafeError) -> None:
    run.report_failure(key_of(policy), error, label=policy.name, link=policy.get_absolute_url())
