"""Values that stand where a secret may stand and are none: words, placeholders, code, messages."""

from __future__ import annotations

import re

#: Words and codes that follow "password:" in sentences.
ORDINARY_VALUE = re.compile(
    r"""(?: null | none | nil | true | false | yes | no | on | off | not | is | was | were | must
    | too | the | a | an | and | or | for | of | to | in | str | int | bool | bytes | undefined
    | required | optional | enabled | disabled | expired | invalid | missing | unknown | empty
    | this | your | it | enter | please | ensure | has | have | had | are | been | can | cannot | could
    | should | may | will | would | does | do | only | at | by | with | from | as | if | that | when | field
    | mfa | asks | hint
    | obligatoire | requise | expirée | obligatori[oa] | requerido | caducad[oa] | expirad[oa] | inválid[oa]
    | obrigatóri[oa] | requerid[oa] | wymagane | wygasł[oa] | richiest[oa] | scadut[oa]
    | vereist | verlopen | krävs | povinné | zorunlu | ist | wurde | muss | darf | est | doit | es | debe | é
    | deve | jest | musi | обязательно | обязателен | истек | должен | 必須 | 必填 | 已过期 | 필수
    | set | unset | blocked | failed | reset | changed | policy | policies | \*+ | \d{1,3}
    | allowed | escrowed | blocked | signing | minimum | \{\{\w{1,40}\}\}
    | erforderlich | abgelaufen | ungültig | fehlt | leer | nicht | requis | expiré | requerida
    | AADSTS\d+ | \d{4}-\d\d-\d\dT[\d:.]+Z? )[.:!?]?""",
    re.IGNORECASE | re.VERBOSE,
)
# A placeholder of a shell, a template, Terraform or PowerShell, and code that reads the secret.
_PLACEHOLDER = re.compile(
    r"""(?: \$\{[A-Za-z_][\w.:\-]{0,80}\}
      | \$(?:env:)?[A-Z][A-Z_]{1,60}
      | \$(?:env:)?[A-Za-z_]{0,40}(?i:password|passwd|secret|token|apikey|cred|credential|pass|pwd|pw)
      | %[A-Z][A-Z_\d]{1,60}%
      | \{\{[^{}\n]{1,100}\}\}
      | \((?:known\ after\ apply|sensitive(?:\ value)?)\) )
    (?=[\s"'`,;:)\]}&<>|]|\.(?:\s|\Z)|\Z)
    | (?:os\.environ|os\.getenv|process\.env|System\.getenv|getpass\.getpass|input)[.(\[]
    | Read-Host\b | Get-[A-Z]\w{2,40}(?:Secret|Credential|Password|Content|Variable|Value)\b""",
    re.VERBOSE,
)
_EXAMPLE = re.compile(r"password|passwd|pass|pwd|secret|x{3,}|\*+|\.{3}", re.IGNORECASE)
# What a form says about a field that is named password.
_MESSAGE = re.compile(
    r"""[\[\s"'\\]{0,8}(?:This|The|Your|Ensure|Enter|Please|Must)\ [A-Za-z\d ,.()'\-]{8,300}\.
    [\]\s"'\\]{0,8}""",
    re.VERBOSE,
)


def is_placeholder(text: str, start: int = 0) -> bool:
    """Return whether a placeholder, or code that reads a secret, starts there in the text."""
    return _PLACEHOLDER.match(text, start) is not None


def is_example(value: str) -> bool:
    """Return whether a password is the one of examples: `user:password@host`."""
    return _EXAMPLE.fullmatch(value) is not None


def is_message(value: str) -> bool:
    """Return whether a value is a sentence about the field, such as "This field is required."."""
    return _MESSAGE.fullmatch(value) is not None
