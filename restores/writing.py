"""The requests that write one object to Microsoft Graph."""

from __future__ import annotations

from providers.graph.client import GraphClient
from providers.graph.errors import UnknownWriteOutcome
from providers.graph.policy_kind import is_valid_id
from restores import bodies
from restores.bodies import Json, Request
from restores.item_log import ItemLog
from restores.models import Assignments
from restores.reading import LiveTenant
from restores.target import PlannedWrite


class Writer:
    """Sends the requests of one write, and records the first one that Graph accepts."""

    def __init__(self, client: GraphClient, live: LiveTenant, log: ItemLog) -> None:
        self._client = client
        self._live = live
        self._log = log

    def send(self, write: PlannedWrite) -> None:
        """Write the object and everything that belongs to it.

        Raises:
            UnknownWriteOutcome: a request was sent and its response lost.
            GraphError: Graph refused a request.
        """
        if write.item.written_id:
            self._update(write)
        else:
            self._create(write)
        self.complete(write, write.state_before)

    def complete(self, write: PlannedWrite, current: Json) -> None:
        """Send what belongs to the object and is not part of its body.

        `current` is the state that was read before. Assignments are replaced as a whole, and only
        where the restore includes them and they differ.

        Raises:
            GraphError: see `send`.
        """
        graph_id = write.item.result_id or write.item.written_id
        path = write.target.path(graph_id)
        is_new = not write.item.written_id
        requests = bodies.link_requests(write.kind, write.state, current, is_new=is_new)
        requests += bodies.follow_up_actions(write.kind, write.state, current, is_new=is_new)
        live = write.live.payload if write.live else {}
        requests += bodies.children_requests(write.kind, write.state, current, live)
        if self._has_other_assignments(write, current):
            requests += bodies.assign_requests(write.kind, write.state, live)
        for request in requests:
            self._send(path, request)
            self._log.applied(write.item, graph_id)

    def _addresses(self, path: str | list[str]) -> str | list[str]:
        if isinstance(path, str):
            return self._client.address(path)
        return [self._client.address(each) for each in path]

    def _send(self, path: str, request: Request) -> None:
        path, body = f"{path}/{request.path}", dict(request.body)
        if "@odata.id" in body:
            body["@odata.id"] = self._client.address(body["@odata.id"])
        match request.method:
            case "DELETE":
                self._client.delete(path)
            case "PATCH":
                self._client.patch(path, body)
            case "PUT":
                self._client.put(path, body)
            case _:
                self._client.post(path, body)

    def _create(self, write: PlannedWrite) -> None:
        body = self._opened(bodies.create_body(write.kind, write.state))
        for name, path in bodies.bound_links(write.kind, write.state).items():
            body[name] = self._addresses(path)
        if write.kind.keeps_id:
            body["id"] = write.item.graph_id
        created = self._client.post(write.target.collection, body)
        if not is_valid_id(created.get("id")):
            # An accepted request whose response is empty or cut: the object can exist.
            raise UnknownWriteOutcome
        self._log.applied(write.item, created["id"])
        self._live.note_created(write.kind.key, created)

    def _update(self, write: PlannedWrite) -> None:
        """Replace the object, or change the properties that differ; none may."""
        graph_id = write.item.written_id
        path = write.target.path(graph_id)
        if write.kind.is_replaced:
            self._client.put(path, bodies.replacing_body(write.kind, write.state))
            self._log.applied(write.item, graph_id)
            return
        body = bodies.update_body(write.kind, write.state, write.state_before)
        if body.keys() - {"@odata.type"}:
            self._client.patch(path, self._opened(body))
            self._log.applied(write.item, graph_id)

    def _opened(self, body: Json) -> Json:
        """The body with the values that the backup has encrypted.

        Raises:
            GraphError: one cannot be decrypted; nothing was sent.
        """
        if self._client.secrets is None:
            return body
        return bodies.open_values(body, self._client.secrets.open)

    def _has_other_assignments(self, write: PlannedWrite, current: Json) -> bool:
        if write.target.options.assignments == Assignments.KEEP:
            return False
        if write.kind.assign is None or "assignments" not in write.state:
            return False
        assignments = current.get("assignments") or []
        return not bodies.is_same_json(assignments, write.state["assignments"])
