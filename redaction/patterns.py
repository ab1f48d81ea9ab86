"""Building blocks of the rules' regular expressions.

All of them are written for `re.VERBOSE | re.IGNORECASE`. Every repetition is bounded or cannot
overlap with what follows it, so that no input takes more than linear time.
"""

# Punctuation around a name and its value: plain, escaped (nested JSON), HTML- or URL-encoded.
QUOTE = r"""(?: \\{0,7}["'`] | &(?:amp;)?(?:quot|apos|\#0?3[49]|\#x2[27]); | %(?:25){0,2}2[27] )"""
SPACE = r"(?: \s | \+ | %(?:25){0,2}(?:20|0[AD9]) | \\{1,7}[rnt] )"
NOT_ESCAPED = r"(?<!\\)(?<!%5C)(?<!%255C)"
OPTIONAL_SPACE = rf"{SPACE}{{0,16}}"
SLASH = r"(?: / | %(?:25){0,2}2F )"
DOLLAR = r"(?: \$ | %(?:25){0,2}24 )"
TAG_START = r"(?: < | &lt; | %(?:25){0,2}3C )"
TAG_END = r"(?: > | &gt; | %(?:25){0,2}3E )"
WORD_START = r"(?: (?<![a-z0-9]) | (?<=%[0-9a-f]{2}) | (?<=%25[0-9a-f]{2}) | (?<=\\[nrt]) )"
OPTION_START = r"(?: (?<![\w\-]) | (?<=%20) | (?<=%2520) | (?<=\\[nrt]) )"
ASSIGNMENT = rf"""{OPTIONAL_SPACE}
    (?: := | => | == | ::(?=[ ]) | [:=：＝] | %(?:25){{0,2}}3[AD] | &(?:amp;)?(?:\#61|equals); ) {OPTIONAL_SPACE}"""
# The first form is code: a type between a name and its value, or the name as an index.
NAME_VALUE_SEPARATOR = rf"""(?: (?: \s?:\s?[a-z_][\w.\[\]|]{{0,30}} | \s(?:secure)?string | {QUOTE}\] )\s?=\s?(?=["'])
    | {QUOTE}?{ASSIGNMENT} | \)\s?=\s?\( )"""
GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
MASKED = r"\[redacted(?::\d{1,9})?\]"

# The password in other languages, and what each of these words contains, in lower case.
FOREIGN_NAMES = r"""(?: passwort | kennwort | mot[ _\-]?de[ _\-]?passe | contrase(?:ñ|n|%C3%B1)a
    | wachtwoord | senha | parola | has[łl]o | l[öo]senord | adgangskode | passord | salasana
    | heslo | пароль | 密码 | 密碼 | パスワード
    | lozinka | parool | slapta[žz]odis | kata[ ]sandi | m[ậa]t[ ]kh[ẩa]u | парола | κωδικός(?:[ ]πρόσβασης)?
    | סיסמ[הא] | كلمة[ ](?:ال)?مرور | كلمة[ ]السر | رمز[ ]عبور | รหัสผ่าน | पासवर्ड )"""
FOREIGN_PASSWORDS = rf"""(?: {FOREIGN_NAMES} | (?<![a-z])mdp | palavra[ \-]passe | parola[ ]d['’]ordine | parolă | jelszó
    | [şs]ifre(?:niz)? | parolan[ıi]z | phrase[ ]secr[eè]te | frase[ ]de[ ]contraseña | парол[яеию] | код[ ]доступа | 口令
    | 暗証番号 | パスフレーズ | 비밀번호 | 암호 | schl[üu]e?sselinhalt | contenu[ ]de[ ]la[ ]cl[ée] | contenido[ ]de[ ](?:la[ ])?clave
    | netzwerkschlüssel | wlan-?schlüssel | geheimnis | geheimer[ ]schlüssel )"""
# Keys, secrets and codes in other languages.
FOREIGN_KEYS = r"""(?: (?<![a-zäöüß])[a-zäöüß]{2,30}-?schlüssel | zugangscode | cl[ée][ ](?:secr[eè]te|d['’]api
      |priv[ée]e|(?:pr[ée]-?)?partag[ée]e|de[ ]r[ée]cup[ée]ration|d['’]acc[eè]s|de[ ]s[ée]curit[ée])
    | code[ ]d['’]acc[eè]s | jeton(?:[ ]d['’]acc[eè]s)? | secret[ ]client
    | clave(?:[ ](?:secreta|privada|compartida|de[ ](?:api|acceso|recuperaci[óo]n)))?
    | c[óo]digo[ ]de[ ]acces?so | secreto(?:[ ]de(?:l)?[ ]cliente)?
    | chave[ ](?:secreta|privada|compartilhada|d[ae][ ]rede|de[ ](?:api|acesso|recupera[çc][ãa]o))
    | segredo(?:[ ]do[ ]cliente)? | c[óo]digo[ ]de[ ]acesso
    | chiave[ ](?:segreta|privata|di[ ]ripristino|(?:pre)?condivisa) | segreto
    | klucz[ ](?:tajny|prywatny|odzyskiwania|dost[ęe]pu|api) | kod[ ]dost[ęe]pu | sekret
    | (?:секретный|закрытый|общий)[ ]ключ | ключ[ ](?:доступа|api|восстановления) | секрет(?:[ ]клиента)?
    | токен | 密钥 | 密鑰 | 金鑰 | 令牌 | 秘密鍵 | シークレット(?:[ ]?キー)? | (?:api|アクセス|暗号化|共有)[ ]?キー | トークン | 비밀[ ]?키 | 토큰 )"""
FOREIGN_HINTS = (
    "kennwort", "mdp", "contrase", "wachtwoord", "senha", "palavra", "parol", "hasł", "haslo", "geheimnis", "senord",
    "adgangskode", "salasana", "heslo", "jelsz", "şifre", "sifre", "secrète", "secrete", "secret client", "secreto", "lozinka", "parool", "slapta", "kata sandi", "mật khẩu", "mat khau", "κωδικός", "סיסמ", "كلمة", "رمز", "รหัสผ่าน", "पासवर्ड", "парол", "доступа", "密", "口令",
    "パス", "暗証番号", "비밀", "암호", "schlüssel", "geheimer", "zugangscode", "clé", "cle ", "accès", "jeton", "clave",
    "digo de", "chave", "segredo", "chiave", "segreto", "klucz", "kod dost", "sekret", "ключ", "секрет",
    "токен", "金鑰", "令牌", "秘密鍵", "シークレット", "キー", "トークン", "토큰",
)  # fmt: skip
# Names that a password follows also in a sentence.
PASSWORD_NAME = rf"""(?: pass(?:word|wd|[ \-]?phrase|code) | pwd | (?<![a-z])(?:l2tp|ike|wpa[23]?)?psk(?:secret)?
    | pre-?[ ]?shared[ \-]?key | (?:shared|client|radius|l2tp)[ _\-]?secret | access[ ]pass
    | {FOREIGN_PASSWORDS} )"""
# What stands between a name and its value in a sentence: a verb, also in other languages.
COPULA = r"""(?: (?:(?:has|have|had|a)\ (?:been|été)\ | (?:is|was|wurde)\ )?(?:now\ )?
      (?:set|changed|reset|updated|chang[ée]e?|modifi[ée]e?|cambiada|alterada|gewijzigd|zmienion[eoy])\ (?:to|en|a|para|por|naar|na)
    | has\ been\ generated | (?:is|was)\ generated | is | was | ist | war | lautet | wurde\ auf | est | es | é | è | jest | to | este | är | er | on
    | は | 为 | 為 | 是 )(?:\ now|\ jetzt)?[ ]?:?"""

# What stands between a name and the verb or sign: a word about it, and whose it is.
OWNER = r"""(?: [ ](?:temp(?:orary|oral|oranea|or[áa]ria|oraire)|initial[e]?|inicial|iniziale|provisoire|provis[óo]ri[ao]
        |provvisoria|administrat\w{1,7}|wi-?fi|tymczasowe|startowe|nowe|nueva|nova|generated|entered|used|value|hash) )?
    (?: [ ](?:(?:is|was|has\ been)\ )?(?:generated\ |created\ |set\ )?
        (?:of|for|on|von|vom|des|für|de|du|d'|del|della|dell['’](?=\w)|di|do|da|per|pour|para|dla|для|van|voor|till|för|til|użytkownika|пользователя)
        (?:[ ]?[\w.@\\\-]{1,60})?(?:[ ][\w.@\\\-]{1,60}){0,3}?(?<![ ]user)(?<![ ]account)(?<![ ]device)(?<![ ]tenant) )?"""
# What can be between two words of a name.
GAP = r"(?:[_\-. +]|%(?:25)?20)?"
# A name whose value is secret. The end of the name decides: `db_password` matches;
# `password_policy_name`, `token_type` and `secretReferenceValueId` do not.
SENSITIVE_NAME = rf"""(?:
    (?: pass(?:word|wd|[ _\-]?phrase|code)(?:[_\-]?(?:base64|hash|value|text|command|format[_\-]?string))?
      | {FOREIGN_NAMES}
      | pwd | (?:(?<![a-z])|bind|root|admin|user|smtp|ldap|ftp|db|proxy|machine)_?pw | sonar\.login
      | (?<![a-z])pass(?:[_\-]?hash)? | (?:store|key|require|bind|root|admin|user|smtp|ldap|ftp|db|ssh|sudo|become|mail|vnc|rpc|mqtt|auth|priv|cert|pfx)pass | access{GAP}pass | psk
      | client{GAP}secret
      | secret(?:{GAP}(?:text|value|key(?:[_\-]?base)?|access{GAP}key))?
      | (?<!skip)(?<!delta)(?<!continuation)(?<!next)(?<!page)(?<!next_)(?<!page_)(?<!skip[ _-])
        token(?:[_\-]?value)?
      | (?<![a-z])token_?id(?={QUOTE}?\s?[:=]\s?{QUOTE}?(?:{GUID}|[0-9a-f]{{20,64}})(?![\w\-]))
      | (?:api|access|account|private|encryption|decryption|signing|master|subscription|functions?
          |fernet|credential|storage|recovery|host|service|deploy|ssh|hmac|shared|session|workspace
          |primary|secondary|decrypt|encrypt|admin|query|auth(?:entication|orization)?|webhook|sas|product|licen[sc]e
          |network|wep|activation|pre-?shared|validation|routing|setup|customer|consumer|(?<![a-z])dd[_\-]app|(?<![a-z])application|registration|enrollment|bypass|pairing|(?<![a-z])mac|(?<![a-z])aes|(?<![a-z])data)
        {GAP}key(?:[_\-]?(?:hex|b64|base64|raw))?
      | client{GAP}state
      | key{GAP}(?:material|content)
      | (?:bypass|unlock|auth|activation|recovery|verification|pairing|kiosk(?:mode)?exit){GAP}code
      | (?:(?<![a-z])|lock|device|user|startup|exit|kiosk|security)pin | (?<![a-z])puk | (?:snmp|community){GAP}string
      | (?:scep{GAP})?challenge
      | (?<![a-z])(?:nt|lm|ntlm){GAP}hash
      | connection{GAP}string | assertion | saml[_\-]?response | code[_\-]?verifier
      | device[_\-]?code | (?:(?<![a-z0-9])|(?<=%[0-9a-f]{{2}}))sig(?:nature)? | authorization | authtok | credential
      | cookie | estsauth[a-z]{{0,20}} | (?:j|php|asp\.net_)?sess(?:ion)?[_\-]?id | connect\.sid
      | (?<![a-z])otp
    )s?(?:[_\-]?\d{{1,3}})?
)"""

# What a text contains that has a sensitive name and a value, in lower case: a quick test.
NAME_THEN_SEPARATOR = rf"""(?: wd|pw|login|command|phrase|code|word|base64|hash|value|text|string|pass|psk|secret|base|key
    |passwort|kennwort|passe|ña|%c3%b1a|contrasena|wachtwoord|senha|parola|has[łl]o|senord|adgangskode
    |passord|salasana|heslo|пароль|密码|密碼|パスワード|lozinka|parool|dis|sandi|kh[ẩa]u|парола|κωδικός|πρόσβασης|סיסמ[הא]|مرور|السر|عبور|รหัสผ่าน|पासवर्ड|hex|b64|raw|state|puk
    |token|tok|material|content|pin|challenge|assertion|response|verifier|sig|signature|authorization
    |credential|cookie|estsauth[a-z]{{0,20}}|id|sid|otp )s?[_\-]?\d{{0,3}}
    {NAME_VALUE_SEPARATOR}""".lower()

# An unquoted value ends at white space, and at punctuation only if that ends the text or the next
# name, tag or quotation starts there.
VALUE_END = r"""(?: [\\"'`,;)}\]&.:!?]{0,8}(?:\s|\Z)
    | [\\"'`)}\]]{0,4}[,:]\\{0,7}["'{\[]
    | (?:amp;)?[\w.\- ]{1,40}(?:=|%3D)
    | \\{0,7}["'][\w.@$\-]{1,60}\\{0,7}["']\s?:
    | (?:amp;)?(?:quot|apos|\#\d{1,3}|lt|gt|\#x\w{1,3});(?:\s|\Z|[,;)}\]&])
    | /?[a-z]{1,10}\s?/?> )"""
UNQUOTED_VALUE = rf"""(?: {MASKED}
    | [^\s"'`<>&,;()\[\]{{}}\\]
    | ["'`<>&,;()\[\]{{}}\\](?!{VALUE_END}) )+"""
# A value after a space, as in a command line. In an encoded text, a plus and %20 end it.
ARGUMENT = rf"""(?: {MASKED} | (?<=\s){UNQUOTED_VALUE}
    | (?<!\s)(?: [^\s+%"'`<>&\\] | %(?!(?:25){{0,2}}(?:20|0[AD9]))[0-9a-f] )+ )"""


def quoted_value(quote: str = "q") -> str:
    """Return the pattern of a value up to the quotation mark that closes that of a group."""
    return rf"(?: (?!{NOT_ESCAPED}(?P={quote})). ){{1,1000}}"


def argument(value: str = "value", quote: str = "q", condition: str = "") -> str:
    """Return the pattern of a value after a space: in quotation marks to the closing one.

    The value is the group `value`; a lookahead as `condition` says what it does not begin with.
    """
    closed = quoted_value(quote)
    return rf"(?P<{quote}>{QUOTE})?(?P<{value}>{condition}(?({quote}){closed}|{ARGUMENT}))"


# A value in the quotation marks of the group "q".
QUOTED_VALUE = quoted_value()
# The next lines of a long value that is broken over several; nothing else is on them.
CONTINUATION_LINES = r"""(?: (?<=\S{20})\n[ \t]*(?=\S*\d)[a-z0-9+/_~.\-]{8,}={0,2}
    (?=[ \t]*(?:\n|\Z|["'&,;}])) )*"""
# Words that are joined, as people and password managers make them: correct-horse-battery-staple.
JOINED_WORDS = r"(?-i:[a-z]{3,16}(?:[\-_.][a-z]{2,16}){2,8})"
# A value that no sentence has after "password": at least eight characters with a digit and no date,
# version, id or address, or six with a sign or changes of case inside.
SECRET_LOOKING = rf"""(?: (?!{GUID}|\d{{4}}-\d\d|v?\d+(?:\.\d+)+\b|https?:|(?-i:[a-z_.\-]{{4,30}}[=:][^=\s])|\[redacted|[/$%({{<])
    (?= [^\s"'`]{{0,60}}\d[^\s"'`]{{0,60}} (?<=[^\s"'`]{{8}}) | (?-i:(?:[^\s"'`A-Z]{{0,20}}[a-z][A-Z]{{1,9}}){{3}})
      | [^\s"'`]{{0,60}}[!@\#$%^*+=~][^\s"'`.,;] | {JOINED_WORDS}(?![\w\-]) )
    [^\s"'`]{{6,200}}(?:(?=["'`])|(?<![,;:.)\]}}])) )"""
# What names the password of a wireless network in lists of Windows, in its languages.
KEY_CONTENT = r"""(?: key[ ]content | schlüsselinhalt | contenu[ ]de[ ]la[ ]cl[ée]
    | contenido[ ]de[ ](?:la[ ])?clave | contenuto[ ](?:della[ ])?chiave | conte[úu]do[ ]da[ ]chave
    | sleutelinhoud | zawarto[śs][ćc][ ]klucza | nyckelinneh[åa]ll | n[øo]gleindhold | nøkkelinnhold
    | avaimen[ ]sis[äa]lt[öo] | obsah[ ]kl[íi][čc]e | kulcstartalom | anahtar[ ]i[̇]?[çc]eri[ğg]i
    | содержимое[ ]ключа | περιεχόμενο[ ]κλειδιού | [关關]键内容 | 密[钥鑰]内容 | 金鑰內容 | 主要なコンテンツ
    | キー[ ]?(?:の)?(?:コンテンツ|内容) | 키[ ]콘텐츠 )"""
# What names one member of an object and the other one as its value, also in other languages.
NAME_MEMBER = (
    r"(?:\w{0,40}?(?:name|key)|field|label|champ|campo|feld|nom|nombre|nome|naam|navn|nazwa)"
)
VALUE_MEMBER = r"(?:\w{0,40}?value\w{0,20}|valeur|valor|wert|valore|waarde)"
SEVERAL_WORDS = r"(?:[a-z]{3,20}[ ]){2,7}[a-z]{3,20}"
