from django.apps import AppConfig


class IpamConfig(AppConfig):
    name = "apps.ipam"
    label = "ipam"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Addresses"
