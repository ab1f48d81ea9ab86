#!/usr/bin/env bash
# Python's zoneinfo: a newer, pinned tzdata has no effect while the system has files of its own.
#
# The package tzdata is pinned so that every image computes with the same rules. zoneinfo looks for a
# zone in the folders of TZPATH first (/usr/share/zoneinfo and others) and imports tzdata only for
# zones that none of them has. So the rules are those of the system, however old. With an empty
# TZPATH (PYTHONTZPATH= or zoneinfo.reset_tzpath(())), the package decides.
#
# The files of tzdata 2022.1 stand for those of an older system, beside the installed tzdata 2026.2.
# Mexico abolished daylight saving time in October 2022 (release 2022f).
#
# Seen: offset of Mexico City at noon on July 1, 2026
#   system files of 2022a, tzdata 2026.2 installed: -5:00
#   without TZPATH: -6:00
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tzdata==2026.2
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --target "$folder/old" tzdata==2022.1
cd "$folder"
cat >offset.py <<'PYTHON'
import datetime as dt
import zoneinfo

noon = dt.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("America/Mexico_City"))
print(int(noon.utcoffset().total_seconds() // 3600))
PYTHON
with_system=$(PYTHONTZPATH="$folder/old/tzdata/zoneinfo" "$folder/venv/bin/python" offset.py)
without=$(PYTHONTZPATH= "$folder/venv/bin/python" offset.py)
echo "system files of 2022a, tzdata 2026.2 installed: $with_system:00"
echo "without TZPATH: $without:00"
[[ $with_system == -5 && $without == -6 ]]
