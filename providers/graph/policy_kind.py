"""Describes a kind of policy: its path, how it is read, and which part of it is content."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from django.utils.dateparse import parse_datetime

from providers.graph import normalize, type_table
from providers.graph.errors import GraphError, IncompleteListing
from providers.graph.normalize import NO_NOISE, Noise, clean
from providers.graph.references import Reference

Json = dict[str, Any]


class Secrets(Protocol):
    """Stores values of configurations encrypted, and returns references to them."""

    def seal(self, setting: str, plaintext: str) -> str:
        """Store a value of a setting; return the reference to it."""

    def open(self, reference: str) -> str:
        """Return the value that a reference stands for.

        Raises:
            GraphError: it cannot be decrypted.
        """


class GraphReader(Protocol):
    """What reads objects: the Graph client.

    `secrets` stores encrypted values, if they may be read (`reads_encrypted_values`).
    """

    @property
    def secrets(self) -> Secrets | None: ...

    @property
    def reads_encrypted_values(self) -> bool: ...

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Read one object; see `GraphClient.get`."""

    def list(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Json]:
        """Yield every object of a collection; see `GraphClient.list`."""


@dataclass(frozen=True)
class Capture:
    """The result of reading a policy.

    `payload` is everything that Graph returned, without annotations. `missing` names the parts that
    were not returned. `notes` names parts that are complete but cannot be restored. `read_at` is the
    monotonic time of this process at which the last part was read.
    """

    payload: Json
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def complete(self) -> bool:
        """Whether everything was read."""
        return not self.missing


class ReadPolicy(Protocol):
    """A function that reads a policy that was listed."""

    def __call__(self, kind: PolicyKind, client: GraphReader, listed: Json) -> Capture: ...


def object_path(collection: str, object_id: str) -> str:
    """Return the path of one object; the id is escaped."""
    return f"{collection}/{quote(object_id, safe='')}"


def as_listed(kind: PolicyKind, client: GraphReader, listed: Json) -> Capture:
    """Use the object from the list, which is already complete."""
    return build_capture(kind, listed, listed, [])


def build_capture(kind: PolicyKind, policy: Json, listed: Json, missing: list[str]) -> Capture:
    """Clean a policy that was read and compare it with its entry in the list."""
    payload = clean(policy)
    missing = [*missing, *(name for name in kind.required if payload.get(name) is None)]
    # Graph omits the type of some objects that are read individually.
    if "@odata.type" not in payload and "@odata.type" in listed:
        payload["@odata.type"] = listed["@odata.type"]
    if payload.get("id") != listed.get("id"):
        missing = [*missing, "the requested object (another one was returned)"]
    return Capture(payload, missing, kind.lacking(payload) if kind.lacking else [])


MAX_ID = 200


class Restore(StrEnum):
    """Whether a kind can be restored."""

    FULL = "full"
    PREVIEW_ONLY = "preview_only"
    NEVER = "never"


class Need(StrEnum):
    """For what every connection is to have the permissions of a kind: `WRITE` if it may write."""

    NOTHING = "nothing"
    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class Action:
    """A property that is written by an action of the object and not by its body.

    `name` is the last part of the action's path, `argument` the name of the value in its body.
    `more` names properties that are further arguments. `is_in_creation`: Graph requires the property
    in the body of a creation as well.
    """

    property: str
    name: str
    argument: str
    more: tuple[str, ...] = ()
    is_in_creation: bool = False


@dataclass(frozen=True)
class Assign:
    """How the assignments of an object are written: all at once, by its action “assign”.

    `argument` is the name of the list in the body, `properties` are those of an assignment that an
    administrator decides. `is_one_by_one`: there is no action; each assignment is added or deleted.
    """

    argument: str = "assignments"
    properties: tuple[str, ...] = ("target",)
    has_filters: bool = True
    is_one_by_one: bool = False


@dataclass(frozen=True)
class Children:
    """A property whose entries are objects, written one by one; `key` identifies an entry."""

    property: str
    key: str


@dataclass(frozen=True)
class Link:
    """A navigation property to other objects: read under the object's path, stored as their ids.

    `target` is the path of such an object, with `{id}`, and `kind` its kind if Runledger reads it.
    `cast` is the part of the path before the property, for a property of one type. `is_list`: it
    leads to several objects. `is_bound_at_creation`: the body of a creation contains their addresses.
    """

    name: str
    target: str
    kind: str = ""
    cast: str = ""
    is_list: bool = True
    is_bound_at_creation: bool = False

    @property
    def path(self) -> str:
        """The path of the links, under that of the object."""
        return f"{self.cast}/{self.name}" if self.cast else self.name

    def address(self, graph_id: str) -> str:
        """The path of a linked object."""
        return self.target.format(id=quote(graph_id, safe=""))


@dataclass(frozen=True)
class NamedBy:
    """Where the name of an object comes from that Graph returns without one.

    `path` is the collection of the objects that have the names, `property` has the id of one.
    """

    path: str
    property: str


@dataclass(frozen=True)
class Service:
    """How Graph serves a collection. The Graph sandbox imitates it.

    `hidden` names the properties that are returned only when they are expanded, `only_in_detail`
    those that a list lacks, `read_only` those that Graph refuses in a request. `writes` names the
    supported methods that write. `reads_with` names further permissions that allow reading.
    """

    page: int = 1000
    max_page: int = 1000
    hidden: tuple[str, ...] = ()
    only_in_detail: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    writes: tuple[str, ...] = ("POST", "PATCH", "DELETE")
    needs_type: bool = False
    patch_status: int = 200
    assign_status: int = 200
    is_paced: bool = False
    reads_with: tuple[str, ...] = ()


def no_links(_payload: Mapping[str, Any]) -> tuple[Link, ...]:
    """Return no link: what most kinds have."""
    return ()


#: A kind without traits in particular.
STANDARD = Service()
_ASSIGNED_GROUPS = Reference("groups", "assignments[].target.groupId")
_ASSIGNED_FILTERS = Reference(
    "assignment_filters", "assignments[].target.deviceAndAppManagementAssignmentFilterId"
)
#: Every tenant has the scope tag “Default”.
_SCOPE_TAGS = Reference("scope_tags", "roleScopeTagIds[]", built_in=frozenset({"0"}))


@dataclass(frozen=True)
class PolicyKind:
    """One kind of object: its path, how it is read and written, and which part of it is content.

    `collections` maps each `@odata.type` to its collection, for a list that mixes types. Objects of
    other types do not belong to the kind; `other_kinds` are the types of those that another kind has.

    `more_permissions` are required to write, in addition to `write_permission`, each with the
    objects that it covers.

    `named_by` says which object has the name of an object that has none itself.

    `required` names the properties without which a backup is incomplete, `parts` those that are
    collections under the path of the object, each with its query.

    `lacking` returns what a backup of an object cannot contain, such as secrets: Runledger does
    not restore such an object.

    `links` returns the links that an object of its type can have.

    `references` are those that only this kind has; see `all_references`.

    `computed` names navigation properties that repeat what is read in another way.

    `refuses` returns why an object is not restored, as a noun (“groups for roles”), or nothing.
    `managed_if`: Microsoft manages the objects with these values.

    `needed`: for what every connection is to have the permissions of the kind. Kinds whose
    permissions no kind needs are left out where they are missing.
    `has_own_table`: the inventory mirrors the kind into a table beside that of the policies.
    `is_costly`: reading the kind takes so many requests that a schedule contains it only if selected.
    `is_mirrored_only`: backups do not contain the kind; the inventory does, to name ids.
    `looked_up_at` is the path of one object with `{id}`, for a kind that is never listed as a whole:
    only single objects are looked up, to see whether they exist. `includes` are the kinds whose
    objects are also of this kind.
    `is_checked_by_graph`: a list that may not be read blocks no restore of what refers to the kind.
    `checked_with` is the path of another list of the same objects. The kind was listed completely only
    if `list_path` has every object of that list, as far as it can be read.

    `is_replaced`: an update replaces the object as a whole (PUT). `keeps_id`: the id is chosen when
    an object is created. `is_singleton`: every tenant has exactly one, at `list_path`.
    `simplify` returns a state without values that Graph returns but does not accept.

    `exported_as`: folders in which other tools export the kind, if not under its own names.
    `samples` are objects as Graph returns them, with every part that a backup reads; the Graph
    sandbox seeds them.
    """

    key: str
    label: str
    label_plural: str
    list_path: str
    read_permission: str
    write_permission: str = ""
    more_permissions: Mapping[str, str] = field(default_factory=dict)
    list_params: Mapping[str, str] = field(default_factory=dict)
    detail_params: Mapping[str, str] = field(default_factory=dict)
    checked_with: str = ""
    name_field: str = "displayName"
    named_by: NamedBy | None = None
    read: ReadPolicy = as_listed
    required: tuple[str, ...] = ()
    parts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    lacking: Callable[[Json], list[str]] | None = None
    has_scheduled_actions: bool = False
    collections: Mapping[str, str] = field(default_factory=dict)
    other_kinds: tuple[str, ...] = ()
    noise: Noise = NO_NOISE
    restore: Restore = Restore.NEVER
    needed: Need = Need.NOTHING
    has_own_table: bool = False
    is_costly: bool = False
    is_mirrored_only: bool = False
    looked_up_at: str = ""
    includes: tuple[str, ...] = ()
    is_checked_by_graph: bool = False
    assign: Assign | None = None
    is_replaced: bool = False
    keeps_id: bool = False
    is_singleton: bool = False
    refuses: Callable[[Json], str] | None = None
    managed_if: Mapping[str, object] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    children: tuple[Children, ...] = ()
    links: Callable[[Mapping[str, Any]], tuple[Link, ...]] = no_links
    references: tuple[Reference, ...] = ()
    computed: tuple[str, ...] = ()
    simplify: Callable[[Json], Json] | None = None
    service: Service = STANDARD
    exported_as: tuple[str, ...] = ()
    samples: tuple[Json, ...] = ()

    @property
    def is_assignable(self) -> bool:
        """Whether a restore can write the assignments of its objects."""
        return self.assign is not None

    @property
    def with_included(self) -> tuple[str, ...]:
        """The kinds of its objects: this one, and those that it includes."""
        return (self.key, *self.includes)

    @property
    def is_backed_up(self) -> bool:
        """Whether backups contain the kind."""
        return not self.is_mirrored_only and not self.looked_up_at

    @property
    def all_references(self) -> tuple[Reference, ...]:
        """Every place where an object of the kind can refer to another object."""
        shared = [_SCOPE_TAGS] if self.is_in_intune else []
        if self.assign:
            shared.append(_ASSIGNED_GROUPS)
        if self.assign and self.assign.has_filters:
            shared.append(_ASSIGNED_FILTERS)
        return (*self.references, *shared)

    @property
    def depends_on(self) -> frozenset[str]:
        """The kinds that objects of this kind can refer to, which are restored before it."""
        return frozenset(each.kind for each in self.all_references) - {self.key}

    @property
    def is_in_intune(self) -> bool:
        """Whether Intune serves the kind; otherwise, Entra ID does."""
        return "/deviceManagement/" in self.list_path or "/deviceAppManagement/" in self.list_path

    def unread(self, payload: Mapping[str, Any]) -> list[str]:
        """Return the parts that an object can have and its backup does not contain, as words."""
        odata_type = type_table.type_of(self.key, payload)
        names = (each.removesuffix("[]") for each in type_table.navigation(odata_type))
        return [words(each) for each in names if each not in payload and each not in self.computed]

    def name_of(self, payload: Mapping[str, Any]) -> str:
        """Return the name of the object; its id if it has no name."""
        return str(payload.get(self.name_field) or payload.get("id") or "")

    def object_path(self, listed: Mapping[str, Any]) -> str:
        """Return the path of one object that was listed."""
        if self.is_singleton:
            return self.list_path
        return object_path(self.collection_of(listed), str(listed["id"]))

    def collection_of(self, payload: Mapping[str, Any]) -> str:
        """Return the path of the collection that contains an object of this type."""
        return self.collections.get(str(payload.get("@odata.type")), self.list_path)

    def repeated(self, count: int) -> IncompleteListing:
        """Return the error of a list with `count` objects twice: it changed while it was read.

        An object moved to a later page, so another one may have moved to an earlier page.
        """
        return IncompleteListing(
            "listing_repeats", kind=in_sentence(self.label_plural), count=count
        )

    def list_objects(
        self, client: GraphReader, left_out: Counter[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield every object of the kind, page by page, each with a valid `id`.

        `left_out` counts the objects in the list that no kind contains, by type.

        Raises:
            IncompleteListing: the list ended early, or an object has no valid id.
            GraphError: see `GraphClient.list`.
        """
        if self.is_singleton:
            yield self._read_singleton(client)
            return
        ids: set[str] = set()
        names = self._names(client)
        for count, entry in enumerate(client.list(self.list_path, self.list_params)):
            listed = self._with_name(entry, names)
            odata_type = str(listed.get("@odata.type") or "")
            if self.collections and odata_type not in self.collections:
                if left_out is not None and odata_type not in self.other_kinds:
                    left_out[odata_type.removeprefix("#microsoft.graph.")] += 1
                continue
            if not is_valid_id(listed.get("id")):
                # Skipping the object would lose it silently.
                raise IncompleteListing(kind=in_sentence(self.label_plural), count=count)
            ids.add(listed["id"])
            yield listed
        if self.checked_with and self._other_ids(client) - ids:
            raise IncompleteListing(kind=in_sentence(self.label_plural), count=len(ids))

    def _other_ids(self, client: GraphReader) -> set[str]:
        """The ids in the list that the kind is checked with; none where it cannot be read."""
        try:
            return {str(each.get("id")) for each in client.list(self.checked_with)}
        except GraphError as error:
            if error.is_blocking_whole_run:
                raise
            return set()

    def _names(self, client: GraphReader) -> dict[str, Any]:
        """The names of the objects that name those of the kind, by id."""
        if self.named_by is None:
            return {}
        named = client.list(self.named_by.path, {"$select": "id,displayName"})
        return {str(each.get("id")): each.get("displayName") for each in named}

    def _with_name(self, entry: Json, names: Mapping[str, Any]) -> Json:
        name = names.get(str(entry.get(self.named_by.property))) if self.named_by else None
        return {self.name_field: name, **entry} if name else entry

    def _read_singleton(self, client: GraphReader) -> Json:
        """The only object of the kind; Graph returns some without an id and a name."""
        defaults = {"id": self.key, self.name_field: self.label}
        return defaults | client.get(self.list_path, self.list_params)

    def needed_of(self, listed: Json) -> Json:
        """Return the part of the entry of a list that `capture` needs, which is usually small."""
        if self.read is as_listed or self.is_singleton:
            return listed
        return {name: listed[name] for name in ("id", "@odata.type") if name in listed}

    def capture(self, client: GraphReader, listed: Json) -> Capture:
        """Read one object that was listed, of whose entry `needed_of` is enough.

        Raises:
            ObjectNotFound: the object was removed in the meantime.
            GraphError: the object could not be read.
        """
        return self.read(self, client, listed)

    def capture_one(self, client: GraphReader, graph_id: str, object_type: str = "") -> Capture:
        """Read one object by its id; `object_type` is its type in Graph, if known.

        Raises:
            ObjectNotFound: the object does not exist.
            GraphError: the object could not be read.
        """
        listed: dict[str, Any] = {"id": graph_id}
        if object_type:
            listed["@odata.type"] = f"#microsoft.graph.{object_type}"
        if self.is_singleton:
            listed = self._read_singleton(client)
        elif self.read is as_listed:
            entry = client.get(self.object_path(listed), self.detail_params)
            listed = self._with_name(entry, self._names(client))
        return self.capture(client, listed)

    def content(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the part of a payload that an administrator decided, without ids and times.

        A link to no object is not set, and so no content.
        """
        content = normalize.content(payload, self.noise)
        for link in self.links(payload):
            if not content.get(link.name):
                content.pop(link.name, None)
        return content

    def content_hash(self, payload: dict[str, Any]) -> str:
        """Return the hash of the content; two captures of an unchanged object have the same hash."""
        return normalize.hash_of(self.content(payload))


def is_valid_id(graph_id: object) -> bool:
    """Return whether this is an id that can be stored and used in a path."""
    if not isinstance(graph_id, str) or not 0 < len(graph_id) <= MAX_ID:
        return False
    return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in graph_id)


def words(name: str) -> str:
    """Return the name of a property as words: “roleAssignments” is “role assignments”."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


#: Labels that start with a name keep its capital.
_NAMES = ("Apple", "Autopilot", "Intune", "Linux", "PIM", "PowerShell", "Windows")


def in_sentence(label: str) -> str:
    """Return a label for use within a sentence: “settings catalog policies”."""
    if label.startswith(_NAMES):
        return label
    return f"{label[:1].lower()}{label[1:]}"


def last_modified(entry: Mapping[str, Any]) -> dt.datetime | None:
    """Return when Graph says that the object last changed, or None."""
    return parse_time(entry.get("lastModifiedDateTime") or entry.get("modifiedDateTime"))


def parse_time(text: object) -> dt.datetime | None:
    """Return a time of Graph, or None for anything else."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    # The first and last year can overflow when they are converted to another zone.
    if at is None or at.tzinfo is None or not 1 < at.year < 9999:
        return None
    return at
