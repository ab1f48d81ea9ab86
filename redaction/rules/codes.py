"""Codes that a person reads and enters: PINs, codes for a sign-in, backup codes, seeds."""

from __future__ import annotations

from redaction.patterns import COPULA, MASKED, OWNER, SPACE, WORD_START
from redaction.rules.replacements import mask_either
from redaction.rules.rule import Rule

# One of several codes that replace a second factor; no date.
_CODE = r"(?!\d{4}-\d\d)(?=[\w\-]{0,40}\d)[\w\-]{6,40}"
_BULLET = r"(?:(?:\d{1,2}[.)]|[\-*•])\s)?"
# Codes that replace a second factor, in other languages.
_FOREIGN_CODES = r"""(?: wiederherstellungscodes?
    | c[óo]digos?\ de\ (?:recupera(?:ci[óo]n|[çc][ãa]o)|respaldo)
    | codes?\ de\ (?:r[ée]cup[ée]ration|secours) | codic[ei]\ di\ (?:ripristino|recupero|backup)
    | herstelcodes? | kod[ey]?\ (?:odzyskiwania|zapasowe) | återställningskod(?:er)?
    | gendannelseskoder? | код(?:ы)?\ восстановления | резервные\ коды
    | (?:回復|リカバリー?|復旧)コード | 恢复代码 | 复原代码 | 복구\ ?코드 )"""
_CODE_TO_SIGN_IN = r"""(?: (?: best[äa]e?tigungs | verifizierungs | sicherheits | anmelde
    | pr[üu]e?f | einmal
        | verificatie | bevestigings | beveiligings | t[üu]e?r | tor | alarm | tresor | zugangs
        | entsperr )-?code
    | code\ de\ (?:v[ée]rification|confirmation|s[ée]curit[ée])
    | c[óo]digo\ de\ (?:verifica|confirma|seguran?)\w{2,6}
    | codice\ di\ (?:verifica|sicurezza|conferma)
    | kod\ (?:weryfikacyjny|potwierdzaj[ąa]cy|ověřovací)
    | verifieringskod | bekr[æe]ftelseskode | engangskode | код\ (?:подтверждения|безопасности)
    | [验驗][证證][码碼] | (?:認証|確認)コード | 인증\ ?(?:번호|코드) )"""
_SIGN_IN_CODE = rf"""(?: verification | security | one-time | login | sign-in | confirmation | sms
    | authentication | mfa | 2fa | otp ){SPACE}{{1,2}}(?:pass)?code"""
_CODE_BEFORE_DIGITS = rf"""(?: otp
    | (?:device|unlock|lock|sim|startup|exit|new)(?:{SPACE}unlock)?{SPACE}pin
    | passcode | kiosk{SPACE}exit{SPACE}(?:code|pin) )(?={SPACE}\d{{4,10}}\b)"""
_SINGLE_CODE = rf"""(?: (?:bypass|unlock|activation|recovery|pairing|unlocking){SPACE}code
    | (?:alarm|door|safe|gate|entry){SPACE}code(?={SPACE}\d{{4,10}}\b)
    | code(?={SPACE}\d{{4,10}}[ ](?:was[ ]sent|expires|is[ ]valid|to[ ](?:sign|log|verify)))
    | puk\d?(?:{SPACE}code)? )"""

_CODE_IN_A_SENTENCE_HINTS = (
    "code", "puk", "setup key", "secret key", "pin ", "otp ", "digo", "codic", "kod", "код",
    "コード", "代码", "码", "碼", "코드", "번호",
)  # fmt: skip

RULES = (
    Rule(
        name="code in a sentence",
        hints=_CODE_IN_A_SENTENCE_HINTS,
        pattern=rf"""{WORD_START}(?:
                (?:{_SIGN_IN_CODE}|{_CODE_TO_SIGN_IN})(?:{SPACE}{{0,2}}{COPULA}|[ ]?[:：])?{SPACE}{{0,2}}
                (?P<value>\d{{4,10}}\b)
              | (?: (?:backup|recovery|scratch|emergency|one-time){SPACE}codes? | {_FOREIGN_CODES}
                  | (?<=\b){_CODE_BEFORE_DIGITS} | {_SINGLE_CODE} )
                (?:[ ](?:for|of|für|von|de|du|di|do|da|voor|dla|для)[ ][\w@.\-]{{1,60}})?
                \s?[:=]?\s{{0,2}}{_BULLET}(?:{MASKED}[\s,;]{{1,3}}{_BULLET})?
                (?P<password>{_CODE}(?:[\s,;]{{1,3}}{_BULLET}{_CODE}){{0,15}})
              | (?:(?:(?:code[ ])?pin|пин)(?:[ \-]?(?:code|код|kod\w?|kód|码|コード|번호))?|passcode){OWNER}
                (?:[ ]?[:=：][ ]?|(?:[ ][\w.\-]{{1,20}}){{1,4}}?[ ]?[:：][ ]|[ ]{COPULA}[ ]{{0,2}})["'„“«]?(?P<last>\d{{4,10}}\b)
              | (?-i:PIN)(?:[ \-]?code)?[ ](?P<pin>\d{{4,8}}\b)(?=[.,;:!?)]{{0,2}}(?:\s|\Z))
                (?![ ](?:of|digit|char|time|release)|:\d)
              | (?:setup|secret|manual|entry){SPACE}key(?:{SPACE}is|:|=)?{SPACE}
                (?P<seed>(?:[a-z2-7]{{4}}[ \-]){{3,15}}[a-z2-7]{{2,4}}\b|[a-z2-7]{{16,64}}\b) )""",
        in_words=True,
        replacement=mask_either,
        rationale="codes for a sign-in, backup codes, a PUK, the seed of an authenticator",
    ),
)
