from typing import Any

from django.db import migrations

from apps.ipam.choice import DEFAULT_POOLS


def add_default_pools(apps: Any, schema_editor: Any) -> None:
    pool = apps.get_model("ipam", "Pool")
    pool.objects.bulk_create(
        pool(name=name, space=space, base=base, size=size) for name, space, base, size in DEFAULT_POOLS
    )


class Migration(migrations.Migration):
    dependencies = [("ipam", "0001_initial")]
    # Going back removes the table, and the pools with it.
    operations = [migrations.RunPython(add_default_pools, migrations.RunPython.noop)]
