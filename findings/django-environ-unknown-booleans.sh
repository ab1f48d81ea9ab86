#!/usr/bin/env bash
# django-environ 0.14.0: a boolean that it does not know is False, whatever the default; 2 is True.
#
# env.bool("SECURE_SSL_REDIRECT", default=True) is expected to refuse a value that means neither, as
# env.int refuses a word. It compares the text with six spellings of true and returns False for every
# other one: a safeguard that is on by default is switched off by "enabled" or by an empty variable.
# Numbers are true unless they are 0.
#
# Seen, with default=True:
#   unset: True   true: True   enabled: False   y: True   t: False   2: True   empty: False
#   env.int("...") of a word: ValueError
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check django-environ==0.14.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import environ

env = environ.Env()
EXPECTED = {None: True, "true": True, "enabled": False, "y": True, "t": False, "2": True, "": False}
seen = {}
for value in EXPECTED:
    env.ENVIRON = {} if value is None else {"FLAG": value}
    seen[value] = env.bool("FLAG", default=True)
    print(f"{ {None: 'unset', '': 'empty'}.get(value, value) }: {seen[value]}")
env.ENVIRON = {"NUMBER": "enabled"}
try:
    env.int("NUMBER", default=1)
except ValueError as error:
    print(f"int of a word: {type(error).__name__}")
else:
    raise SystemExit("int of a word: no error")
assert seen == EXPECTED, seen
PYTHON
