from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("containers", "0005_restart_policy")]

    operations = [
        migrations.AddIndex(
            model_name="container",
            index=models.Index(
                fields=["state"],
                condition=models.Q(exit_code__isnull=True),
                name="container_end_unknown",
            ),
        ),
    ]
