from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Carries the project-wide management commands (`up`, `demo`, `setup_roles`)."""

    name = "config"
    verbose_name = "Heed"

    def ready(self) -> None:
        from config.celery import app  # noqa: F401  (shared tasks bind to this application)
