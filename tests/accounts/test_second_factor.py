"""Second factors: authenticator apps, recovery codes, locks, and who must have one."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.second_factor import services, totp
from accounts.second_factor.forms import AppForm, CodeForm
from accounts.second_factor.models import CodeAttempts, RecoveryCode
from accounts.second_factor.services import CodeRefused
from tenancy.crypto import CredentialUnreadable, Place, key_ring, new_key
from tenancy.db import database_now
from tenancy.models import User, Workspace
from tests.support.concurrency import racing_threads
from tests.support.factories import PASSWORD
from tests.support.factories.accounts import APP_SECRET, add_app, code_of
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

CODE_PAGE = "/sign-in/second-factor/"


def enter_password(client: Client, user: User, **fields: str) -> Any:
    form = {"username": user.username, "password": PASSWORD, **fields}
    return client.post("/sign-in/", form)


def enter_code(client: Client, code: str) -> Any:
    return client.post(CODE_PAGE, {"code": code})


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


# --- sign-in --------------------------------------------------------------------------------------


def test_a_password_alone_does_not_sign_in(client: Client, operator: User) -> None:
    add_app(operator)

    answer = enter_password(client, operator)

    assert answer["Location"] == CODE_PAGE
    assert not is_signed_in(client)
    assert client.get("/w/contoso/")["Location"].startswith("/sign-in/")


def test_password_and_code_sign_in_and_continue_with_the_requested_page(
    client: Client, operator: User
) -> None:
    add_app(operator)
    enter_password(client, operator, next="/w/contoso/runs/")

    answer = enter_code(client, code_of())

    assert answer["Location"] == "/w/contoso/runs/"
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "code", ["", "000000", "12345", "1" * 61, "abc", "\x00", "٣٣٣٣٣٣", "é" * 6]
)
def test_a_wrong_code_is_refused(client: Client, operator: User, code: str) -> None:
    add_app(operator)
    enter_password(client, operator)

    answer = enter_code(client, code)

    assert answer.status_code == 400
    assert not is_signed_in(client)


def test_a_code_with_spaces_is_accepted(client: Client, operator: User) -> None:
    add_app(operator)
    enter_password(client, operator)
    code = code_of()

    enter_code(client, f" {code[:3]} {code[3:]} ")

    assert is_signed_in(client)


@pytest.mark.parametrize("steps", range(-3, 4))
def test_only_codes_of_the_neighboring_steps_are_valid(steps: int) -> None:
    now = database_now()

    matches = totp.matching_step(APP_SECRET, code_of(steps=steps, now=now), now=now) is not None

    assert matches == (abs(steps) <= 1)


# While a code is on its way, the next step can begin.
@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (0, True), (1, True), (3, False)])
def test_a_code_of_a_neighboring_step_signs_in(
    client: Client, operator: User, steps: int, accepted: bool
) -> None:
    add_app(operator)
    enter_password(client, operator)

    enter_code(client, code_of(steps=steps))

    assert is_signed_in(client) == accepted


def test_a_code_is_accepted_once(client: Client, operator: User) -> None:
    """Who reads it over a shoulder cannot use it, whichever process answers."""
    add_app(operator)
    code = code_of()
    enter_password(client, operator)
    enter_code(client, code)
    other = Client()
    enter_password(other, operator)

    answer = enter_code(other, code)

    assert "already been used" in answer.content.decode()
    assert not is_signed_in(other)


def test_an_older_code_is_not_accepted_after_a_newer_one(operator: User) -> None:
    add_app(operator)
    older, newer = code_of(), code_of(steps=1)
    services.use_code(operator, newer)

    with pytest.raises(CodeRefused):
        services.use_code(operator, older)


def test_the_code_that_added_an_app_does_not_sign_in(operator: User) -> None:
    code = code_of()
    services.add_app(operator, APP_SECRET, code)

    with pytest.raises(CodeRefused):
        services.use_code(operator, code)


def test_without_a_password_there_is_no_second_step(client: Client, operator: User) -> None:
    add_app(operator)

    assert client.get(CODE_PAGE)["Location"] == "/sign-in/"
    assert enter_code(client, code_of())["Location"] == "/sign-in/"


def test_a_disabled_account_does_not_pass_the_second_step(client: Client, operator: User) -> None:
    add_app(operator)
    enter_password(client, operator)
    User.objects.filter(pk=operator.pk).update(is_active=False)

    enter_code(client, code_of())

    assert not is_signed_in(client)


# --- locks ----------------------------------------------------------------------------------------


def guess(user: User, times: int) -> Client:
    client = Client()
    enter_password(client, user)
    for _ in range(times):
        enter_code(client, "000000")
    return client


def test_five_wrong_codes_lock_the_codes_of_the_user_everywhere(operator: User) -> None:
    """A new session or another address does not help: the lock belongs to the user."""
    add_app(operator)
    guess(operator, 3)
    guess(operator, 2)
    client = Client(REMOTE_ADDR="192.0.2.7")
    enter_password(client, operator)

    answer = enter_code(client, code_of())

    assert "Too many wrong codes" in answer.content.decode()
    assert not is_signed_in(client)


def test_neither_guesses_nor_the_right_code_change_the_end_of_a_lock(operator: User) -> None:
    add_app(operator)
    guess(operator, 5)
    end = CodeAttempts.objects.get(user=operator).locked_until

    client = guess(operator, 6)
    enter_code(client, code_of())

    assert CodeAttempts.objects.get(user=operator).locked_until == end
    assert end is not None
    assert dt.timedelta(minutes=14) < end - database_now() <= dt.timedelta(minutes=15)


def test_after_the_lock_the_user_has_five_attempts_again(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_app(operator)
    monkeypatch.setattr(services, "LOCK", dt.timedelta(0))
    guess(operator, 5)

    client = guess(operator, 4)
    enter_code(client, code_of())

    assert is_signed_in(client)


def test_the_right_code_starts_the_count_again(operator: User) -> None:
    add_app(operator)
    client = guess(operator, 4)
    enter_code(client, code_of())

    assert CodeAttempts.objects.get(user=operator).failures == 0


def test_wrong_codes_do_not_lock_another_user(operator: User, manager: User) -> None:
    for user in (operator, manager):
        add_app(user)
    guess(operator, 5)
    client = Client()
    enter_password(client, manager)

    enter_code(client, code_of())

    assert is_signed_in(client)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_sessions_cannot_use_one_code(operator: User) -> None:
    add_app(operator)
    code = code_of()

    def use() -> bool:
        try:
            services.use_code(operator, code)
        except CodeRefused:
            return False
        return True

    with racing_threads(2) as threads:
        results = threads.race([use, use])

    assert sorted(results) == [False, True]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_all_count(operator: User) -> None:
    add_app(operator)

    def try_one() -> None:
        with pytest.raises(CodeRefused):
            services.use_code(operator, "000000")

    with racing_threads(4) as threads:
        threads.race([try_one] * 4)

    assert CodeAttempts.objects.get(user=operator).failures == 4


# --- recovery codes -------------------------------------------------------------------------------


def test_a_recovery_code_signs_in_once(client: Client, operator: User) -> None:
    add_app(operator)
    code, *_ = services.new_recovery_codes(operator)
    enter_password(client, operator)
    enter_code(client, code.upper().replace("-", " "))
    other = Client()
    enter_password(other, operator)
    enter_code(other, code)

    assert "9 are left" in client.get("/w/contoso/").content.decode()
    assert not is_signed_in(other)


def test_only_hashes_of_recovery_codes_are_stored(operator: User) -> None:
    codes = services.new_recovery_codes(operator)

    stored = set(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert len(set(codes)) == len(stored) == 10
    assert all(re.fullmatch(r"([a-z2-7]{6}-){3}[a-z2-7]{6}", code) for code in codes)
    assert stored == {services.hash_code(code) for code in codes}


def test_new_recovery_codes_replace_the_previous_ones(operator: User) -> None:
    add_app(operator)
    old, *_ = services.new_recovery_codes(operator)
    services.new_recovery_codes(operator)

    with pytest.raises(CodeRefused):
        services.use_code(operator, old)


def test_the_recovery_code_of_another_user_is_refused(operator: User, manager: User) -> None:
    add_app(operator)
    code, *_ = services.new_recovery_codes(manager)

    with pytest.raises(CodeRefused):
        services.use_code(operator, code)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_requests_for_recovery_codes_leave_ten(operator: User) -> None:
    with racing_threads(2) as threads:
        threads.race([lambda: services.new_recovery_codes(operator)] * 2)

    assert services.unused_recovery_codes(operator) == 10


# --- the account page -----------------------------------------------------------------------------


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    return open_session(client, operator)


def new_secret(page: Client) -> str:
    shown = unescape(page.get("/account/second-factor/app/").content.decode())
    match = re.search(r'data-copy="([A-Z2-7]{32})"', shown)
    assert match, shown
    return match[1]


def test_an_app_is_added_and_recovery_codes_are_shown_once(page: Client, operator: User) -> None:
    secret = new_secret(page)
    assert new_secret(page) == secret

    shown = page.post("/account/second-factor/app/", {"code": code_of(secret)}).content.decode()

    assert len(re.findall(r"<code>[a-z2-7-]{27}</code>", shown)) == 10
    assert services.has_second_factor(operator)
    assert "Authenticator app" in page.get("/account/").content.decode()


def test_a_secret_is_encrypted_for_its_user(operator: User, manager: User) -> None:
    add_app(operator)
    stored = Authenticator.objects.get(user=operator).data["secret"]
    assert APP_SECRET not in stored
    Authenticator.objects.create(user=manager, type="totp", data={"secret": stored})

    with pytest.raises(CredentialUnreadable):
        services.use_code(manager, code_of())


def test_an_app_whose_code_is_wrong_is_not_added(page: Client, operator: User) -> None:
    secret = new_secret(page)

    answer = page.post("/account/second-factor/app/", {"code": "000000"})

    assert answer.status_code == 400
    assert not services.has_second_factor(operator)
    assert new_secret(page) == secret


def test_a_code_without_an_opened_page_adds_nothing(page: Client, operator: User) -> None:
    page.post("/account/second-factor/app/", {"code": code_of()})

    assert not services.has_second_factor(operator)


def test_another_app_replaces_the_first_one(page: Client, operator: User) -> None:
    add_app(operator)
    services.new_recovery_codes(operator)
    secret = new_secret(page)

    answer = page.post("/account/second-factor/app/", {"code": code_of(secret, steps=1)})

    assert answer["Location"] == "/account/"
    assert Authenticator.objects.filter(user=operator).count() == 1
    with pytest.raises(CodeRefused):
        services.use_code(operator, code_of(steps=1))


def test_removing_the_last_second_factor_removes_the_recovery_codes(
    page: Client, operator: User
) -> None:
    add_app(operator)
    services.new_recovery_codes(operator)
    factor = Authenticator.objects.get(user=operator)

    page.post("/account/second-factor/remove/", {"factor": factor.pk})

    assert not services.has_second_factor(operator)
    assert services.unused_recovery_codes(operator) == 0


def test_a_user_cannot_remove_the_second_factor_of_another(page: Client, manager: User) -> None:
    add_app(manager)
    factor = Authenticator.objects.get(user=manager)

    answer = page.post("/account/second-factor/remove/", {"factor": factor.pk}, follow=True)

    assert "already been removed" in answer.content.decode()
    assert services.has_second_factor(manager)


def test_recovery_codes_need_a_second_factor(page: Client, operator: User) -> None:
    answer = page.post("/account/second-factor/recovery-codes/", follow=True)

    assert "Add an authenticator app or a passkey first" in answer.content.decode()
    assert services.unused_recovery_codes(operator) == 0


def test_the_user_is_notified_of_every_change(page: Client, operator: User) -> None:
    secret = new_secret(page)
    page.post("/account/second-factor/app/", {"code": code_of(secret)})
    page.post("/account/second-factor/recovery-codes/")
    code, *_ = services.new_recovery_codes(operator)
    other = Client()
    enter_password(other, operator)
    enter_code(other, code)
    factor = Authenticator.objects.get(user=operator)
    page.post("/account/second-factor/remove/", {"factor": factor.pk})
    call_command("reset_second_factor", operator.username, stdout=StringIO())

    events = [str(message.body).split("\n")[2] for message in mail.outbox]
    assert events == [
        "An authenticator app was added.",
        "New recovery codes replaced the previous ones.",
        "A recovery code was used to sign in. 9 are left.",
        "A second factor was removed.",
        "An administrator removed your second factors.",
    ]
    assert {tuple(message.to) for message in mail.outbox} == {(operator.email,)}


@pytest.mark.parametrize("address", ["", "olga@example.com"])
def test_a_user_who_cannot_be_notified_still_changes_the_second_factor(
    page: Client, operator: User, settings: Any, address: str
) -> None:
    """There is no address, or no mail server answers."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    User.objects.filter(pk=operator.pk).update(email=address)
    secret = new_secret(page)

    page.post("/account/second-factor/app/", {"code": code_of(secret)})

    assert services.has_second_factor(operator)


# --- who must have one ----------------------------------------------------------------------------

REQUIRED = "/account/second-factor/"


def test_a_workspace_requires_a_second_factor_of_its_members(
    page: Client, workspace: Workspace, operator: User
) -> None:
    Workspace.objects.update(requires_second_factor=True)

    assert page.get("/w/contoso/")["Location"] == REQUIRED
    assert page.post("/w/contoso/settings/", {"name": "x"})["Location"] == REQUIRED
    assert page.get("/w/contoso/", headers={"HX-Request": "true"})["HX-Redirect"] == REQUIRED
    for name in ("account", "app_add", "passkey_add", "second_factor_required"):
        assert page.get(reverse(name)).status_code == 200, name
    add_app(operator)
    assert page.get("/w/contoso/").status_code == 200


def test_a_workspace_requires_nothing_of_the_members_of_another(
    client: Client, workspace: Workspace, stranger: User
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(requires_second_factor=True)

    assert open_session(client, stranger).get("/w/elsewhere/").status_code == 200


def test_an_owner_switches_the_requirement_on(client: Client, owner: User) -> None:
    form = {"name": "Contoso", "timezone": "UTC", "requires_second_factor": "on"}

    open_session(client, owner).post("/w/contoso/settings/", form)

    assert Workspace.objects.get().requires_second_factor


def test_owners_see_which_members_have_no_second_factor(
    client: Client, owner: User, reader: User
) -> None:
    add_app(owner)

    shown = open_session(client, owner).get("/w/contoso/members/").content.decode()
    to_reader = open_session(client, reader).get("/w/contoso/members/").content.decode()

    assert shown.count("no second factor") == 1
    assert "<bdi>rita</bdi> · no second factor" in shown
    assert "no second factor" not in to_reader


@pytest.mark.parametrize(
    ("setting", "asked"),
    [("", set()), ("owners", {"owner", "staff"}), ("everyone", {"owner", "staff", "reader"})],
)
def test_the_installation_requires_a_second_factor(
    settings: Any, owner: User, reader: User, setting: str, asked: set[str]
) -> None:
    settings.SECOND_FACTOR_REQUIRED = setting
    staff = User.objects.create(username="sara", is_staff=True)
    users = {"owner": owner, "reader": reader, "staff": staff}

    redirected = {
        name
        for name, user in users.items()
        if open_session(Client(), user).get("/runs/").get("Location") == REQUIRED
    }

    assert redirected == asked


def test_staff_without_a_second_factor_do_not_reach_the_administration(
    settings: Any, client: Client
) -> None:
    settings.SECOND_FACTOR_REQUIRED = "owners"
    staff = User.objects.create(username="sara", is_staff=True, is_superuser=True)

    assert open_session(client, staff).get("/admin/")["Location"] == REQUIRED


# --- a lost second factor -------------------------------------------------------------------------


def test_the_command_removes_lost_second_factors(client: Client, operator: User) -> None:
    add_app(operator)
    services.new_recovery_codes(operator)
    output = StringIO()

    call_command("reset_second_factor", operator.username, stdout=output)
    enter_password(client, operator)

    assert "olga: 1 second factors removed" in output.getvalue()
    assert is_signed_in(client)
    assert services.unused_recovery_codes(operator) == 0


def test_the_command_reports_an_unknown_user() -> None:
    with pytest.raises(CommandError, match="There is no user nadia"):
        call_command("reset_second_factor", "nadia")


# --- keys -----------------------------------------------------------------------------------------


def test_secrets_are_encrypted_with_the_new_key(operator: User, settings: Any) -> None:
    add_app(operator)
    old, new = settings.CREDENTIAL_KEYS, f"v2:{new_key()}"

    settings.CREDENTIAL_KEYS = f"{new},{old}"
    call_command("rotate_credentials", stdout=StringIO())
    settings.CREDENTIAL_KEYS = new

    services.use_code(operator, code_of())


def test_an_unreadable_secret_is_named_and_prevents_no_other(
    operator: User, manager: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    lost = f"lost:{new_key()}"
    keys, settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS, lost
    add_app(operator)
    settings.CREDENTIAL_KEYS = keys
    add_app(manager)
    settings.CREDENTIAL_KEYS = f"v2:{new_key()},{keys}"

    with pytest.raises(CommandError, match="The log names them"):
        call_command("rotate_credentials")

    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS.split(",")[0]
    assert "authenticator app of olga cannot be decrypted: The key lost is not" in caplog.text
    stored = Authenticator.objects.get(user=manager).data["secret"]
    assert key_ring().decrypt(stored, Place(0, manager.pk, "authenticator")) == APP_SECRET


# --- guards, attacked with plain SQL ------------------------------------------------------------------


def refused(statement: str, *values: int) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
    return str(error.value)


@pytest.mark.parametrize(
    "assignment",
    ["used_at = NULL", "used_at = now()", "code_hash = repeat('a', 64)", "created_at = now()"],
)
def test_a_used_recovery_code_stays_used(operator: User, assignment: str) -> None:
    add_app(operator)
    code, *_ = services.new_recovery_codes(operator)
    services.use_code(operator, code)

    message = refused(f"UPDATE recovery_codes SET {assignment} WHERE used_at IS NOT NULL")

    assert "it can only be used, once" in message


def test_an_unused_recovery_code_does_not_move_to_another_user(
    operator: User, manager: User
) -> None:
    services.new_recovery_codes(operator)

    assert "only be used" in refused("UPDATE recovery_codes SET user_id = %s", manager.pk)


def test_a_recovery_code_is_never_stored_in_clear(operator: User) -> None:
    statement = "INSERT INTO recovery_codes (user_id, code_hash) VALUES (%s, 'abcdef-ghijkl')"

    assert "recovery_codes_are_hashed" in refused(statement, operator.pk)


def test_the_last_time_step_does_not_decrease(operator: User) -> None:
    add_app(operator)

    assert "cannot decrease" in refused("UPDATE code_attempts SET last_step = last_step - 1")


@pytest.mark.parametrize("end", ["NULL", "now()", "now() + interval '1 hour'"])
def test_a_lock_ends_at_its_time(operator: User, end: str) -> None:
    add_app(operator)
    guess(operator, 5)

    assert "a lock ends at its time" in refused(f"UPDATE code_attempts SET locked_until = {end}")


@pytest.mark.parametrize("form", [AppForm, CodeForm])
def test_the_browser_does_not_keep_a_code(form: type[CodeForm]) -> None:
    assert "data-secret" in str(form()["code"])
