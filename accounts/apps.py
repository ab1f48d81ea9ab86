from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import receivers  # noqa: F401 - connects the receivers
        from accounts.invitations import checks  # noqa: F401 - registers the check
