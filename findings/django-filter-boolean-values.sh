#!/usr/bin/env bash
# django-filter 26.2 with Django 5.2: BooleanFilter ignores 1 and 0, and takes 2 for true, 3 for false.
#
# Its field is Django's NullBooleanField with the widget NullBooleanSelect, whose options have been
# numbered 1 to 3 (unknown, yes, no) since before they had names. So "?done=1", the usual spelling in
# an address, is "unknown": the filter is valid and returns every row. "?done=0" and "?done=yes" are
# ignored in the same way. Only true, True, 2, and false, False, 3 filter.
#
# Seen: rows of ?done=VALUE among one that is done and one that is not
#   1: both   0: both   yes: both   true: done   2: done   false: open   3: open
# Exit status 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  django-filter==26.2 "Django==5.2.19"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django_filters"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

import django_filters
from django.db import connection, models


class Task(models.Model):
    name = models.CharField(max_length=10)
    done = models.BooleanField()

    class Meta:
        app_label = "tasks"


class TaskFilter(django_filters.FilterSet):
    done = django_filters.BooleanFilter()

    class Meta:
        model = Task
        fields = ["done"]


with connection.schema_editor() as editor:
    editor.create_model(Task)
Task.objects.create(name="done", done=True)
Task.objects.create(name="open", done=False)
seen = {}
for value in ("1", "0", "yes", "true", "2", "false", "3"):
    filters = TaskFilter({"done": value}, Task.objects.order_by("pk"))
    assert filters.is_valid()
    seen[value] = [task.name for task in filters.qs]
    print(f"?done={value}: {' and '.join(seen[value])}")
both, done, still_open = ["done", "open"], ["done"], ["open"]
assert seen == {
    "1": both, "0": both, "yes": both, "true": done, "2": done, "false": still_open, "3": still_open
}, seen
PYTHON
