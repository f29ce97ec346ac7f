"""PostgreSQL is killed in every step of a life, and started again as by a service manager; then all agrees again."""

from collections.abc import Iterator

import pytest

from tests.faults.kills import FULL, Victim
from tests.faults.life import STEPS, kill_in_each_step
from tests.faults.points import POINTS
from tests.postgresql import running_cluster
from tests.product import Product, running_product


@pytest.fixture(scope="module")
def on_postgresql(
    private_host: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Product, Victim]]:
    with (
        running_cluster() as cluster,
        cluster.kept(),
        running_product(tmp_path_factory.mktemp("postgresql"), DATABASE_URL=cluster.url) as product,
    ):
        yield product, Victim("postgresql", cluster.find_pid)


IN_CI = (None, "recorded", "building", None, None, "reported", None, "queued", None)
CYCLE = tuple(POINTS) * 3
ROUNDS = [CYCLE[first : first + len(STEPS)] for first in range(len(POINTS))] if FULL else [IN_CI]


@pytest.mark.parametrize("moments", ROUNDS)
def test_a_kill_of_postgresql_in_any_step_loses_nothing(
    on_postgresql: tuple[Product, Victim], moments: tuple[str | None, ...]
) -> None:
    product, database = on_postgresql
    kill_in_each_step(product, [(moment, database) if moment else None for moment in moments])
