"""Words that name secrets, in many languages.

A space stands for a space, a hyphen, an underscore or nothing, and a letter with an accent for the
letter without it too: `mot de passe` is `mot-de-passe` and `motdepasse` as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

#: What names a password: most words are those of the catalogs of Django.
PASSWORDS = {
    "af": "wagwoord",
    "ar": "كلمة المرور, كلمة مرور, كلمة السر, كلمات المرور",
    "az": "şifrə",
    "bg, mk, sr": "парола, лозинка, шифра",
    "bn": "পাসওয়ার্ড",
    "bs, hr, sl": "lozinka, zaporka, geslo",
    "ca, gl, ia": "contrasenya, contrasinal, contrasigno",
    "cs, sk": "heslo",
    "cy, ga, gd": "cyfrinair, pasfhocal, facal faire",
    "da": "adgangskort, adgangspas, adgangskode, kodeord, netværksnøgle",
    "de": "wlan code, zugriffspass, passwort, passwörter, kennwort, kennwörter, losungswort, "
    "geheimwort, netzwerkschlüssel, "
    "wlan schlüssel, wi fi schlüssel, netzwerksicherheitsschlüssel, vorinstallierter schlüssel",
    "el": "συνθηματικό, κωδικός πρόσβασης, κωδικός, κωδικό πρόσβασης",
    "eo": "pasvorto",
    "es": "código wi fi, clave del wi fi, clave de la wi fi, pase de acceso temporal, "
    "contraseña, frase de contraseña, frase secreta, clave wi fi, clave de red, "
    "clave precompartida",
    "et": "salasõna, parool",
    "eu": "pasahitza",
    "fa": "گذرواژه, رمز عبور",
    "fi": "käyttöoikeuskoodi, salasana, salalause, tunnussana",
    "fr": "code wi fi, clé du wi fi, passe d'accès temporaire, mot de passe, mots de passe, "
    "phrase secrète, phrase de passe, clé wi fi, clé réseau, clé pré partagée",
    "he": "סיסמה, סיסמא",
    "hi, ne": "पासवर्ड, कूटशब्द",
    "hu": "ideiglenes hozzáférési kód, jelszó, jelszava",
    "hy": "գաղտնաբառ",
    "id, ms": "kata sandi, kata laluan",
    "is": "lykilorð",
    "it": "chiave del wi fi, pass di accesso temporaneo, parola d'ordine, parola chiave, "
    "frase segreta, chiave wi fi, chiave di rete, chiave precondivisa",
    "ja": "一時アクセス パス, パスワード, パスフレーズ, 暗証番号, 合言葉",
    "ka": "პაროლი",
    "ko": "임시 액세스 패스, 비밀번호, 암호, 패스워드",
    "lt": "slaptažodis",
    "nb, nn": "tilgangspass, passord, nettverksnøkkel",
    "nl": "wi fi code, toegangspas, wachtwoord, wachtzin, wachtwoordzin, netwerksleutel, "
    "wi fi sleutel",
    "pl": "przepustka dostępu, hasło, hasła, klucz sieci, klucz sieciowy, klucz wi fi",
    "pt": "chave do wi fi, passe de acesso temporário, senha, palavra passe, chave wi fi, "
    "chave de rede, chave da rede, chave pré compartilhada",
    "ro": "parolă, parola",
    "ru, uk, be": "временный секретный код, пароль, пароля, паролю, паролем, кодовое слово, "
    "код доступа, ключ сети, ключ wi fi",
    "sq": "fjalëkalim",
    "sv": "åtkomstkort, åtkomstpass, lösenord, lösenfras, nätverksnyckel",
    "sw": "nenosiri",
    "th": "รหัสผ่าน",
    "tr": "geçici erişim kodu, geçici erişim geçişi, şifre, şifresi, şifreniz, parolası, parolanız",
    "vi": "mật khẩu",
    "zh": "密码, 密碼, 口令, 通行码",
}
#: What names a key, a token or a secret, after which only a value that is no word is one.
KEYS = {
    "cs, sk": "klíč, kľúč",
    "da, nb, sv": "nøgle, nøkkel, nyckel",
    "de": "schlüssel, geheimnis, zugangscode, zugriffstoken",
    "el": "κλειδί",
    "es": "clave, secreto, código de acceso",
    "fi": "avain",
    "fr": "clé, clef, jeton, code d'accès, code d'ouverture",
    "hr": "ključ",
    "hu": "kulcs",
    "it": "chiave, segreto, codice di accesso",
    "ja": "シークレット, 秘密鍵, トークン, キー",
    "ko": "비밀 키, 토큰",
    "nl": "sleutel, toegangscode, geheim",
    "pl": "klucz, sekret, kod dostępu",
    "pt": "chave, segredo, código de acesso",
    "ro": "cheie",
    "ru, uk, bg": "ключ, секрет, токен",
    "tr": "anahtar, anahtarı",
    "zh": "密钥, 密鑰, 金鑰, 令牌",
}


def words(table: dict[str, str]) -> list[str]:
    """Return the words of a table, the longest first."""
    listed = {word for line in table.values() for word in line.split(", ")}
    return sorted(listed, key=lambda word: (-len(word), word))


def alternatives(listed: Iterable[str]) -> str:
    """Return the pattern of one of the words, for `re.VERBOSE | re.IGNORECASE`."""
    listed = list(listed)
    spellings = " | ".join("".join(map(_spelling, word)) for word in listed)
    # At most places, the first character shows that none of them is there.
    firsts = {word[0] for word in listed}
    firsts |= {plain for plain in map(_without_accents, firsts) if plain.isascii()} | {"%"}
    return f"(?: (?=[{''.join(sorted(firsts))}]) (?: {spellings} ) )"


def beginnings(listed: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of how the words begin, in lower case, with and without accents.

    Of several words, the first one is looked for, and the first letter of the next one.
    """
    parts = (re.split("[ ']", word.lower()) for word in listed)
    return _with_plain_forms(
        r"[ _\-]?".join([first, *(p[:1] for p in rest[:1])]) for first, *rest in parts
    )


def longest_parts(listed: Iterable[str]) -> tuple[str, ...]:
    """Return what a text with one of the words contains, in lower case, in at most five letters."""
    parts = _with_plain_forms(max(re.split("[ ']", word.lower()), key=len) for word in listed)
    return tuple(sorted({part[:5] for part in parts}))


def _with_plain_forms(parts: Iterable[str]) -> tuple[str, ...]:
    listed = set(parts)
    # Without its accent, a short word is in many others: `cle` in "clear".
    plain = {_without_accents(part) + " " * (len(part) < 4 and part.isalpha()) for part in listed}
    return tuple(sorted(listed | {part for part in plain if part.strip() not in listed}))


def _spelling(character: str) -> str:
    if character == " ":
        return r"[ _\-]?"
    if character == "'":
        return "['’]"
    plain = _without_accents(character)
    if plain == character or not plain.isascii():
        return re.escape(character)
    encoded = quote(character.lower())
    umlaut = "|" + plain + "e" if character in "äöü" else ""
    return f"(?:[{character}{plain}]|{encoded}{umlaut})"


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFD", text).translate(_STROKES)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


#: Letters with a stroke, which have no accent to remove.
_STROKES = str.maketrans("łøđı", "lodi")
