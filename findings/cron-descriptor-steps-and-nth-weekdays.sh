#!/usr/bin/env bash
# cron-descriptor 2.2.1: the description contradicts the times at which cron fires.
#
# A step restarts in every hour. "*/45" therefore fires at minutes 0 and 45, and "*/100" once an hour;
# the descriptions promise an interval of 45 and of 100 minutes. Of two special weekdays the ordinal
# of one is applied to both: "5L,1#1" is the last Friday and the first Monday.
#
# Seen:
#   */45 * * * *    Every 45 minutes
#   */100 * * * *   Every 100 minutes
#   0 2 * * 5L,1#1  At 02:00 AM, on the first Friday and Monday of the month
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cron-descriptor==2.2.1
"$folder/venv/bin/python" - <<'PYTHON'
from cron_descriptor import ExpressionDescriptor, Options

options = Options()
options.locale_code = "en_US"
seen = {
    "*/45 * * * *": "Every 45 minutes",
    "*/100 * * * *": "Every 100 minutes",
    "0 2 * * 5L,1#1": "At 02:00 AM, on the first Friday and Monday of the month",
}
for expression, expected in seen.items():
    words = ExpressionDescriptor(expression, options).get_full_description()
    print(f"{expression:15} {words}")
    assert words == expected, words
PYTHON
