"""Delta queries: what changed in a collection since a link was given."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from dev.graph_sandbox import odata
from dev.graph_sandbox.messages import Json, RequestRefused
from redaction import exact_json

#: What a changed object has: Graph promises only the properties that changed.
_PART = ("id", "displayName")
_PAGE = 100


class Deltas:
    """The state of each tenant's objects at the time of each link. Use it under the store's lock."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[str, dict[str, str]]] = {}

    def page(
        self, url: str, query: Mapping[str, str], tenant_id: str, objects: dict[str, Json]
    ) -> Json:
        """Return one page of the changes; without a token, of all objects.

        Raises:
            RequestRefused: the token is unknown.
        """
        token = query.get("$deltatoken", "")
        entries: list[Json] = []
        if token != "latest":  # noqa: S105 - a keyword of Graph
            entries = _differences(self._state(token, tenant_id), objects)
        page = odata.page(entries, query, url, default=_PAGE, most=_PAGE)
        if "@odata.nextLink" not in page:
            rest = {k: v for k, v in query.items() if k not in ("$deltatoken", "$skiptoken")}
            new = secrets.token_urlsafe(16)
            self._states[new] = (tenant_id, {key: _digest(each) for key, each in objects.items()})
            page["@odata.deltaLink"] = odata.link(url, {**rest, "$deltatoken": new})
        return page

    def _state(self, token: str, tenant_id: str) -> dict[str, str]:
        if not token:
            return {}
        owner, state = self._states.get(token, ("", {}))
        if owner != tenant_id:
            raise RequestRefused(410, "syncStateNotFound", "Resync required.")
        return state


def _differences(before: dict[str, str], objects: dict[str, Json]) -> list[Json]:
    changed: list[Json] = [
        {name: entry[name] for name in _PART if name in entry}
        for key, entry in objects.items()
        if before.get(key) != _digest(entry)
    ]
    removed = [
        {"id": key, "@removed": {"reason": "changed"}} for key in before if key not in objects
    ]
    return changed + removed


def _digest(entry: Json) -> str:
    return exact_json.dumps(entry, sort_keys=True)
