"""Sessions and records of sign-ins are removed when their time is over."""

from __future__ import annotations

import datetime as dt
from importlib import import_module

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import Model
from pytest_django import Settings

from tenancy import sign_in_records
from tenancy.db import database_now
from tenancy.tasks import remove_expired_sign_ins

pytestmark = pytest.mark.django_db


def create(model: type[Model], age: dt.timedelta, number: int = 0) -> None:
    now = database_now()
    more = {"failures_since_start": 1} if model is AccessAttempt else {}
    row = model._default_manager.create(username=f"u{number}", ip_address="192.0.2.1", **more)
    model._default_manager.filter(pk=row.pk).update(attempt_time=now - age)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (AccessAttempt, dt.timedelta(minutes=15)),
        (AccessFailureLog, dt.timedelta(days=180)),
        (AccessLog, dt.timedelta(days=180)),
    ],
)
def test_what_is_too_old_is_removed_and_nothing_else(
    model: type[Model], limit: dt.timedelta
) -> None:
    moment = dt.timedelta(minutes=1)
    create(model, limit + moment, 1)
    create(model, limit - moment, 2)

    remove_expired_sign_ins()

    assert model._default_manager.count() == 1
    remove_expired_sign_ins()
    assert model._default_manager.count() == 1


def test_expired_sessions_are_removed(settings: Settings) -> None:
    store = import_module(settings.SESSION_ENGINE).SessionStore
    for seconds in (3600, -3600):
        settings.SESSION_COOKIE_AGE = seconds
        store().create()

    remove_expired_sign_ins()

    assert store.get_model_class().objects.count() == 1


def test_more_rows_than_a_batch_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_records, "BATCH", 2)
    for number in range(5):
        create(AccessFailureLog, dt.timedelta(days=400), number)

    assert sign_in_records.remove_expired()["axes_accessfailurelog"] == 5
    assert not AccessFailureLog.objects.exists()
