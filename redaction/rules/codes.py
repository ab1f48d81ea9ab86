"""Codes that a person reads and enters: PINs, codes for a sign-in, backup codes, seeds."""

from __future__ import annotations

from redaction.patterns import COPULA, MASKED, OWNER, SPACE, WORD_START
from redaction.rules.replacements import mask_either
from redaction.rules.rule import Rule

# One of several codes that replace a second factor; no date.
_CODE = r"""(?: \d{3,5}[ ]\d{3,5}(?![\w\-]) | (?!(?:19|20)\d\d-\d\d(?!\d))(?=[\w\-]{0,40}\d)[\w\-]{6,40}
    | (?-i:[a-z]{4}-[a-z]{4}|[a-z]{5}-[a-z]{5}|[A-Z]{4}-[A-Z]{4}|[A-Z]{5}-[A-Z]{5})(?![\w\-]) )"""
_SEPARATOR = r"""[\s,;"'|]{1,12}"""
_BULLET = r"(?:(?:\d{1,2}[.)]|[\-*•])\s)?"
# Codes that replace a second factor, in other languages.
_FOREIGN_CODES = r"""(?: wiederherstellungscodes?
    | c[óo]digos?\ de\ (?:recupera(?:ci[óo]n|[çc][ãa]o)|respaldo)
    | codes?\ de\ (?:r[ée]cup[ée]ration|secours) | codic[ei]\ di\ (?:ripristino|recupero|backup)
    | herstelcodes? | kod[ey]?\ (?:odzyskiwania|zapasowe) | återställningskod(?:er)?
    | gendannelseskoder? | код(?:ы)?\ восстановления | резервные\ коды
    | (?:回復|リカバリー?|復旧)コード | 恢复代码 | 复原代码 | 복구\ ?코드 )"""
#: Codes that open a door, a device or an account, in other languages.
_CODE_TO_SIGN_IN = r"""(?: (?: best[äa]e?tigungs | verifizierungs | sicherheits | anmelde |
    pr[üu]e?f | einmal
        | verificatie | bevestigings | beveiligings | t[üu]e?r | tor | poort | deur | haus |
        alarm | tresor | kluis
        | safe | inlog | freischalt | aktivierungs | freigabe | schlie(?:ß|ss)fach | zugangs | zutritts | toegangs | ontgrendel(?:ings)? |
        entsperr | eenmalige
        | garagen )-?(?:code|kombination|combinatie|pin)
    | code\ (?:to|for|of|voor|van|für|zu[rm]?|pour|para|per|del?|della)\ (?:(?:the|our|my|de|het|die|das|den|la|le|il)\ )?
        (?:(?:front|back|side|main|office|server\ room|garage|meter)\ )?(?:door|gate|alarm|safe|rack|cabinet
        |lock(?:er|box)?|voordeur|achterdeur|deur|poort|kluis|haustür|tür|tor|tresor|serverraum|porte|portail|coffre
        |puerta|caja\ fuerte|porta|cancello|cassaforte|cofre)(?=[ ]?[:=：]|[ ](?:is|was|ist|est|es|è|é)[ ])
    | geheimzahl | tunnusluku | combinaci[óo]n | combinazione | combina[çc][ãa]o
    | (?:code|combinaison)\ (?:secret|alarme|d['’]acc[èe]s|wi-?fi
        |(?:de|du)\ (?:la\ )?(?:v[ée]rification|confirmation|s[ée]curit[ée]|porte|portail
        |coffre|d[ée]verrouillage)
        |de\ l['’](?:alarme|entr[ée]e))
    | c[óo]digo\ (?:secreto|(?:de|da|do)\ (?:la\ )?(?:caja|acceso|acesso|puerta|porta|alarma|alarme
    |desbloqu\w{2,4}|cofre
        |verifica\w{2,4}|confirma\w{2,4}|seguran?\w{2,4}))
    | codice\ (?:segreto|(?:di|del|della|dell['’])\ ?(?:accesso|sblocco|porta|allarme
    |cassaforte|verifica|sicurezza
        |conferma))
    | kod\w{0,2}\ (?:weryfikacyjny|potwierdzaj[ąa]cy|ověřovací|do\ \w{3,12}|dost[ęe]pu|alarmu
    |sejfu|odblokowania|drzwi)
    | k[óo]d\ (?:od|k|ke|dveří|alarmu|trezoru)
    | (?:port|d[öo]rr|larm|uppl[åa]snings|s[äa]kerhets|eng[åa]ngs|verifierings|kassask[åa]ps)kod
    | (?:bekr[æe]ftelses|engangs|d[øo]r|port|alarm|opl[åa]snings|sikkerheds|sikkerhets|adgangs)kode
    | (?:ovi|h[äa]lytys|avaus|suoja|kerta|turva)koodi
    | код\ (?:подтверждения|безопасности|от|домофона|двери|сейфа|доступа|разблокировки
    |сигнализации|дверей)
    | (?:kapı|alarm|kasa|doğrulama|güvenlik|onay|kilit)\ (?:kodu|şifresi)
    | 暗証番号 | [验驗][证證][码碼] | (?:门禁|解锁|安全|开门|保险箱)(?:码|代码)
    | (?:認証|確認|解錠|ロック解除|セキュリティ|ドア)(?:コード|番号)
    | (?:인증|출입|현관|보안|잠금\ 해제)\ ?(?:번호|코드) )"""
_SIGN_IN_CODE = rf"""(?: (?:door|gate|safe|alarm|disarm(?:ing)?|arming|duress|panel|locker|vault|building|elevator|garage|badge
    |lock{SPACE}?box|keypad|padlock|safe{SPACE}deposit|access
        |entry|unlock){SPACE}{{1,2}}(?:code|combination|combo)
    | (?<!error[ ])(?<!area[ ])(?<!zip[ ])code(?=(?:[ ](?:is|was)|:)[ ]\d{{3}}[ \-]\d{{3}}(?![\d\-]))
    | code[ ](?:on|in|from|by)[ ](?:(?:my|your|his|her|their|the)[ ])?
        (?:[\w\-]{{1,20}}[ ])?(?:authenticator|app|phone|token|fob|display|text|sms|mail|email)
        (?=[^\n]{{0,20}}?[ ]\d{{3}}[ ]?\d{{3,5}}(?!\d))
    | (?:leave|exit|quit|end)[ ](?:the[ ])?(?:kiosk|guided|single)[^\n]{{0,80}}?[ ](?:exit|unlock){SPACE}(?:code|pin)
    | (?:safe|vault|lock|padlock|locker|cabinet|tresor|kluis)[^\n:=]{{0,40}}?[ ](?:combination|combo|kombination|combinatie)
    | tokencode | (?:conference|meeting|zoom|webex){SPACE}host{SPACE}key
    | keypad(?:{SPACE}code)? | padlock | (?-i:TAN)
    | (?: verification | security | one-time | login | sign-in | confirmation | sms
    | authentication | mfa | 2fa | otp ){SPACE}{{1,2}}(?:pass)?code )"""
_CODE_BEFORE_DIGITS = rf"""(?: otp
    | (?:device|unlock|lock|sim|startup|exit|new)(?:{SPACE}unlock)?{SPACE}pin
    | passcode | kiosk{SPACE}exit{SPACE}(?:code|pin) )(?={SPACE}\d{{4,10}}\b)"""
_SINGLE_CODE = rf"""(?: (?:bypass|unlock|activation|recovery|pairing|unlocking){SPACE}code
    | (?:alarm|door|safe|gate|entry|locker|vault|building|garage|keypad|access){SPACE}
      (?:code|combination|combo)(?={SPACE}\d{{4,10}}\b)
    | code(?={SPACE}\d{{4,10}}[ ](?:was[ ]sent|expires|is[ ]valid|to[ ](?:sign|log|verify)))
    | puk\d?(?:{SPACE}code)? )"""

_CODE_IN_A_SENTENCE_HINTS = (
    "tap", "keypad", "padlock", "tan",
    "code", "puk", "setup key", "secret key", "entry key", "manual key", "pin ", "otp ", "digo", "codic", "kod", "kód", "код",
    "host key", "geheimzahl", "tunnusluku", "combin", "kombin", "combo", "koodi", "番号", "門禁", "门禁", "пин", "şifresi",
    "コード", "代码", "码", "碼", "코드", "번호",
)  # fmt: skip

RULES = (
    Rule(
        name="code in a sentence",
        hints=_CODE_IN_A_SENTENCE_HINTS,
        gate=r"\d{4}|\d[\w\-]{3}|\btap\b|[\w\-]{3}\d|\d{3}[ ]\d{3}|(?:code|digo|kod|код)[^\n]{0,60}\W{1,9}[a-z]{4,5}-[a-z]{4,5}\b|key(?:[ ]is|:|=)?[ ]",
        pattern=rf"""{WORD_START}(?:
                (?:{_SIGN_IN_CODE}|{_CODE_TO_SIGN_IN})s?
                (?:(?:[ ][^\s:=;]{{1,20}}){{0,6}}?(?:[ ]?[(](?:code:[ ])?|{SPACE}{{0,2}}(?:{COPULA}|[:：=はは是는은])(?:[ ](?:le|la|el|il|o|de[rt]|the|neu|new|nuevo|nieuw|nouveau|jetzt|now))?)
                  |(?:[ ][^\s\d:=;]{{1,20}}){{1,6}}?)?
                {SPACE}{{0,2}}["'„“«「]?(?<![a-z])(?!\d{{4}}-\d\d)
                (?P<value>\d{{3}}[ \-]\d{{3}}(?!\d)|\d\d(?:-\d\d){{2,3}}(?![\d\-])|\d{{4,10}}(?!\d)\#?|(?-i:\d{{2,4}}[A-Z]\d{{1,4}})\b
                  |(?-i:(?!AADSTS|CVE|KB|ERR|HTTP|INC|REQ|CHG)(?=[A-Z]{{0,9}}\d)(?=\d{{0,9}}[A-Z])[A-Z\d]{{6,10}})(?![\w\-]))
              | (?: (?:backup|recovery|scratch|emergency|one-time)(?:{SPACE}|[_\-])?codes? | {_FOREIGN_CODES}
                  | (?<=\b){_CODE_BEFORE_DIGITS} | {_SINGLE_CODE} )
                (?:[ ](?:for|of|für|von|de|du|di|do|da|voor|dla|для)[ ][\w@.\-]{{1,60}}
                  |,?(?:[ ][^\s:=\d]{{1,20}}){{1,16}}?(?=:\s|[ ](?:is|are|was)[ ]))?
                (?:[ ](?:are|is|sind|lauten|sont|son|sono|zijn)|[ ]?\([^()\n]{{1,60}}\))?
                ["']?\s?[:=]?[\s"'\[(]{{0,12}}{_BULLET}(?:{MASKED}{_SEPARATOR}{_BULLET})?
                (?P<password>{_CODE}(?:{_SEPARATOR}{_BULLET}{_CODE}){{0,23}})
              | (?:(?:(?:code[ ])?pin|пин|pin-)(?:[ \-]?(?:code|код|kod\w?|kód|码|コード|번호))?
              |passcode){OWNER}
                (?:[ ]?[:=：][ ]?|(?:[ ][\w.\-]{{1,20}}){{1,4}}?[ ]?[:：][ ]
                |[ ]{COPULA}[ ]{{0,2}})["'„“«]?(?P<last>\d{{4,10}}\b)
              | (?:(?-i:PIN)|(?:new|your|his|her)[ ]pin)(?:[ \-]?code)?(?:[ ](?-i:[A-Z][a-z]{{1,20}})(?![ ](?:19|20)\d\d\b))?[ ]
                (?P<pin>\d{{4,8}}\b)(?=[.,;:!?)\#]{{0,2}}(?:\s|\Z))
                (?![ ](?:of|digit|char|time|release)|:\d)
              | (?-i:TAP)(?:[ ](?:for|of|für|voor|pour|para|per|dla
              |til)(?:[ ][^\s:]{{1,30}}){{1,5}}?)?[ ]?(?:[:=：→—–]|[ ]is|[ ]ist)[ ]?
                (?P<tap>(?=[\w]*\d)(?=[\w]*[a-z])[^\s"',;()]{{6,64}})
              | (?:access|join|invite|invitation|meeting|class|pairing|activation|redeem|voucher|registration
                |enroll?ment)[ ](?:pass)?code[ ](?:is[ ])?
                (?P<word>(?-i:(?=[a-zA-Z\d]*\d)(?=[A-Z\d]*[a-z])(?=[a-z\d]*[A-Z])[A-Za-z\d]{{6,16}}))(?![\w\-])
              | code[ ](?P<device>(?-i:(?=[A-Z]{{0,9}}\d)(?=\d{{0,9}}[A-Z])[A-Z\d]{{8,10}}))
                (?=[ ](?:to[ ](?:auth\w*|sign|log)|ein\b|in\b|pour|para|per|om)\b)
              | (?:g-)?(?P<code>\d{{4,8}})[ ](?:is|ist|est|es|è|é|as|als|comme|como|come)[ ]
                (?:your|the|dein|ihr|votre|ton|tu|su|il|o|je
                |uw)[ ](?:[\w\-]{{1,30}}[ ]){{0,4}}?[\w\-]{{0,30}}(?:code|pin|passcode|otp|c[óo]digo)\b
              | (?:(?:setup|secret|manual|entry){SPACE}key|geheimer?\ schlüssel|einrichtungsschlüssel|cl[ée]\ secr[èe]te
                |(?:t?otp|2fa|mfa)\ (?:seed|secret)(?:[^\n:]{{0,80}}:)?|clave\ secreta|chave\ secreta|chiave\ segreta|geheime\ sleutel|configuratiesleutel)(?:{SPACE}is|(?:[ ][a-z]{{1,12}}){{0,6}}?:|=)?{SPACE}
                (?P<seed>(?:[a-z2-7]{{4}}[ \-]){{3,15}}[a-z2-7]{{2,4}}\b|[a-z2-7]{{16,64}}\b) )""",
        in_words=True,
        replacement=mask_either,
        rationale="codes for a sign-in, backup codes, a PUK, the seed of an authenticator",
    ),
)
