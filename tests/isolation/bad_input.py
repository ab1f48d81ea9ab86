"""Form bodies that no page of this project sends."""

from __future__ import annotations

FORM = "application/x-www-form-urlencoded"
HOSTILE = [
    b"",
    b"%00",
    b"%ff%fe",
    b"%ed%a0%80",
    b"9" * 5000,
    b"-1",
    b"1e400",
    b"NaN",
    b"2026-02-30",
    b"no-such-choice",
    b"%3Cscript%3Ealert(1)%3C/script%3E",
    b"..%2f..%2fetc%2fpasswd",
    b"a" * 100_000,
    b"%e2%80%ae%ef%bb%bf",
    b"%7B%22a%22:" * 200,
    b"00000000-0000-0000-0000-000000000000",
]
BROKEN = [
    (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
    (b"--x", "multipart/form-data; boundary=x"),
    (b"name=1", "multipart/form-data"),
    (b"name=1", "multipart/form-data; boundary=" + "y" * 5000),
    (
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\x00',
        "multipart/form-data; boundary=x",
    ),
    (b'{"name": "\\u0000\\ud800"}', "application/json"),
    (b"[" * 100_000, "application/json"),
    (b"\xff\xfe\x00", FORM + "; charset=utf-16"),
    (b"name=1", FORM + "; charset=no-such-charset"),
    (b"\x00" * 100, "text/plain"),
    (b"name=1", ""),
]
