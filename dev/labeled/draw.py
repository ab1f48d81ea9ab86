"""Random values of every format that the labeled sets use."""

from __future__ import annotations

import base64
import json
import random
import re
import string
import uuid
from collections.abc import Callable

Draw = random.Random
ALNUM = string.ascii_letters + string.digits
ALPHABETS = {
    "alnum": ALNUM,
    "ALNUM": string.ascii_uppercase + string.digits,
    "lower": string.ascii_lowercase + string.digits,
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "b64": ALNUM + "+/",
    "b64url": ALNUM + "-_",
    "b32": string.ascii_lowercase + "234567",
    "B32": string.ascii_uppercase + "234567",
    "digit": string.digits,
    "word": string.ascii_lowercase,
    "entra": ALNUM + "_.~-",
    "pad": "AQgw",
}
_PLACE = re.compile(r"\{(\w+):(\d+)(?:-(\d*))?\}")


def fill(rng: Draw, form: str) -> str:
    """Return the form with random characters, e.g. of `{hex:32}` or `{alnum:20-36}`.

    A range draws its upper end, without one its lower end: the length that real values have.
    """

    def characters(match: re.Match[str]) -> str:
        count = int(match[3] or match[2])
        return "".join(rng.choices(ALPHABETS[match[1]], k=count))

    return _PLACE.sub(characters, form)


def form(text: str) -> Callable[[Draw], str]:
    """Return a function that fills a form."""
    return lambda rng: fill(rng, text)


def mixed(rng: Draw, length: int, alphabet: str = ALNUM) -> str:
    """Return random characters with at least one digit, capital and small letter."""
    fixed = [rng.choice(string.digits), rng.choice(string.ascii_uppercase)]
    return "".join([rng.choice("abcdef"), *rng.choices(alphabet, k=length - 3), *fixed])


def password(rng: Draw) -> str:
    """Return a password as people and generators make them."""
    kind = rng.randrange(4)
    if kind == 0:
        return mixed(rng, 6) + "".join(rng.choices("!#%*+-.?^_~", k=2)) + mixed(rng, 6)
    if kind == 1:
        return word(rng).capitalize() + rng.choice("!#-_.") + str(rng.randrange(1000, 9999))
    if kind == 2:
        return mixed(rng, rng.randint(8, 20))
    return "-".join(word(rng) for _ in range(3)) + str(rng.randrange(10, 99))


def word(rng: Draw) -> str:
    return "".join(
        rng.choice("bcdfghklmnprstvw") + rng.choice("aeiou") for _ in range(rng.randint(3, 4))
    )


def guid(rng: Draw) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def b64(rng: Draw, size: int) -> str:
    return base64.b64encode(rng.randbytes(size)).decode()


def b64url(rng: Draw, size: int) -> str:
    return base64.urlsafe_b64encode(rng.randbytes(size)).decode().rstrip("=")


def entra_secret(rng: Draw) -> str:
    return mixed(rng, 3)[:3] + "8" + "Q~" + "".join(rng.choices(ALNUM + "-_.~", k=34))


def jwt(rng: Draw) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"typ": "JWT", "alg": "RS256", "kid": mixed(rng, 27)})
    body = part({"aud": "https://graph.microsoft.com", "tid": guid(rng), "oid": guid(rng)})
    return ".".join([head, body, b64url(rng, 256)])


def pem(rng: Draw) -> str:
    body = b64(rng, 300)
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]) + "PRIVATE" + " KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def product_key(rng: Draw) -> str:
    return "-".join(fill(rng, "{ALNUM:5}") for _ in range(5))


def recovery_key(rng: Draw) -> str:
    return "-".join(f"{rng.randrange(10**6):06}" for _ in range(8))


def ntlm_hash(rng: Draw) -> str:
    return fill(rng, "{hex:32}:{hex:32}")


def django_hash(rng: Draw) -> str:
    return f"pbkdf2_sha256$1000000${mixed(rng, 22)}${b64(rng, 32)}"


def bcrypt_hash(rng: Draw) -> str:
    return rng.choice(["$2b$12$", "$2y$10$"]) + "".join(rng.choices(ALNUM + "./", k=53))


def crypt_hash(rng: Draw) -> str:
    salt, digest = mixed(rng, 16), "".join(rng.choices(ALNUM + "./", k=86))
    return f"$6${salt}${digest}"


def argon_hash(rng: Draw) -> str:
    parts = [b64(rng, 16).rstrip("="), b64(rng, 32).rstrip("=")]
    return "argon2$argon2id$v=19$m=102400,t=2,p=8$" + "$".join(parts)
