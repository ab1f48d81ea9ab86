"""Archives that every operating system can unpack."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.archive import Archive, ArchiveTooLarge, safe_name


def make_archive(*names: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive_bytes(*names)))


def archive_bytes(*names: str) -> bytes:
    with Archive(1_000_000) as archive:
        for number, name in enumerate(names):
            add_policy(archive, name, str(number))
        return archive.close({"run": 1})


def add_policy(archive: Archive, name: str, graph_id: str) -> None:
    payload: dict[str, Any] = {"id": graph_id, "displayName": name}
    archive.add(kind="compliance", name=name, graph_id=graph_id, payload=payload, missing=[])


def test_the_same_content_gives_the_same_bytes() -> None:
    assert archive_bytes("A", "B") == archive_bytes("A", "B")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\boot.ini",
        "CON",
        "con.json",
        "aux",
        "",
        ".",
        "..",
        "a/b",
        "a\x00b",
        "\u202egpj.exe",
        "😀",
        "x" * 5000,
        "trailing. ",
        "a\nb",
        "lpt1.txt",
    ],
)
def test_no_name_leaves_its_folder_or_is_invalid_on_a_system(name: str) -> None:
    safe = safe_name(name)

    assert re.fullmatch(r"[\w .()+,=@-]{1,81}", safe, re.ASCII)
    assert safe.strip(" .") == safe
    assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", safe, re.IGNORECASE)
    assert ".." not in safe.split("/")


@given(st.lists(st.text(max_size=12), max_size=8))
def test_every_policy_has_a_separate_file(names: list[str]) -> None:
    archive = make_archive(*names)
    manifest = json.loads(archive.read("manifest.json"))

    paths = [path.lower() for path in archive.namelist()]
    assert len(set(paths)) == len(paths) == len(names) + 1
    assert [entry["name"] for entry in manifest["policies"]] == [
        name.encode("utf-8", "replace").decode() for name in names
    ]


def test_a_name_like_that_of_a_resolved_conflict_stays_unique() -> None:
    short_hash = hashlib.sha256(b"2").hexdigest()[:8]

    paths = make_archive("A", f"A {short_hash}", "A").namelist()

    assert len(set(paths)) == 4


def test_an_archive_never_grows_beyond_its_limit() -> None:
    with Archive(500) as archive:
        add_policy(archive, "a", "1")
        add_policy(archive, "b", "2")

        with pytest.raises(ArchiveTooLarge):
            archive.close({"about": [str(number) for number in range(1000)]})
