from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from operations.database_roles import withhold

        withhold("DELETE, TRUNCATE", "access_tokens")

        from accounts import checks, receivers  # noqa: F401 - registers them
        from accounts.access_tokens import checks as token_checks  # noqa: F401
        from accounts.invitations import checks as invitation_checks  # noqa: F401
