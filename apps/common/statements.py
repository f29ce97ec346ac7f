"""Queries of one shape that each change asks: spelt by the ORM the first time, and from then on only asked.

The ORM takes longer to spell a statement than a database to answer it. What is decorated here is an ordinary query,
written with its parameters; how it is spelt and how rows become instances is kept, by the lengths of its lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import Expression, Model, QuerySet
from django.db.models import query as orm
from django.db.models.sql import DeleteQuery, UpdateQuery

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
FEW = 8
"""Values in a list, at most, for which a spelling is kept; a longer list is spelt each time."""


class Given(Expression):
    """The place of a value in a statement: `place` counts the parameters, `item` those of a list."""

    def __init__(self, place: int, item: int | None = None) -> None:
        super().__init__()
        self.place, self.item = place, item

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]

    def pick(self, values: Sequence[Any]) -> Any:
        value = values[self.place]
        return _prepare(value if self.item is None else value[self.item])


@dataclass(frozen=True)
class Reader:
    """How a row of a select becomes an instance, with those that come along."""

    model: type[Model]
    fields: Sequence[str]
    where: slice
    converters: Sequence[tuple[int, Sequence[Any], Any]]
    related: Sequence[Any]

    @classmethod
    def of(cls, compiler: Any) -> "Reader":
        """Of a compiler that has spelt its query; as `django.db.models.query.ModelIterable` does it."""
        info, select = compiler.klass_info, compiler.select
        where = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
        columns = [column for column, _, _ in select[: compiler.col_count]]
        converters = [
            (place, steps, column) for place, (steps, column) in compiler.get_converters(columns).items()
        ]
        fields = [column.target.attname for column, _, _ in select[where]]
        # What its stubs say of it is another version's.
        populators: Any = orm.get_related_populators
        return cls(info["model"], fields, where, converters, populators(info, select, DEFAULT_DB_ALIAS))

    def read(self, row: Sequence[Any]) -> Any:
        values = list(row)
        for place, steps, column in self.converters:
            for step in steps:
                values[place] = step(values[place], column, connection)
        found = self.model.from_db(DEFAULT_DB_ALIAS, self.fields, values[self.where])
        for populator in self.related:
            populator.populate(values, found)
        return found


@dataclass(frozen=True)
class Spelling:
    text: str
    parameters: tuple[Any, ...]
    """Values as the database takes them, and `Given` for those that each asking brings."""
    reader: Reader | None = None
    """Of what rows it returns."""

    def check(self) -> "Spelling":
        """Some lookups take what they are given for a value: `container__in` does, `container__pk__in` does not."""
        if any(isinstance(each, str) and Given.__qualname__ in each for each in self.parameters):
            raise TypeError(f"a parameter became a value in {self.text}")
        return self

    def execute(self, values: Sequence[Any]) -> int | list[Any]:
        """How many rows there were, or with a reader the rows."""
        filled = [each.pick(values) if isinstance(each, Given) else each for each in self.parameters]
        with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
            cursor.execute(self.text, filled)
            if self.reader is None:
                return int(cursor.rowcount)
            return [self.reader.read(row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Update(Generic[M]):
    rows: QuerySet[M]
    values: Mapping[str, Any]
    """What each of them gets."""


def select_once(make: Callable[P, QuerySet[M]]) -> Callable[P, list[M]]:
    """What the query finds. Parameters are given by their places; a tuple is the list of an `__in`."""
    return _keep(make, _spell_select, list)


def update_once(make: Callable[P, Update[Any]]) -> Callable[P, int]:
    """Give the rows their values; how many there were."""
    return _keep(make, _spell_update, lambda update: update.rows.update(**update.values))


def update_and_read_once(make: Callable[P, Update[M]]) -> Callable[P, list[M]]:
    """Give the rows their values; as they are then. No lists."""
    return _keep(make, _spell_returning, None)


def delete_once(make: Callable[P, QuerySet[Any]]) -> Callable[P, int]:
    """Delete the rows, and nothing that refers to them; how many there were."""
    return _keep(make, _spell_delete, lambda rows: rows._raw_delete(DEFAULT_DB_ALIAS) or 0)


def _keep(
    make: Callable[P, Any], spell: Callable[[Any], Spelling], ask: Callable[[Any], Any] | None
) -> Callable[P, Any]:
    """`ask` is for what need not be kept: one of a long list, or of none."""
    kept: dict[tuple[Any, ...], Spelling] = {}
    made: Callable[..., Any] = make

    @wraps(make)
    def asked(*values: P.args, **named: P.kwargs) -> Any:
        assert not named, "parameters of a kept statement have places"
        lengths = [len(value) if isinstance(value, tuple) else None for value in values]
        if ask is not None and any(length is not None and not 0 < length <= FEW for length in lengths):
            return ask(made(*values))
        shape = (connection.vendor, *lengths)
        if shape not in kept:
            kept[shape] = spell(made(*_places(values))).check()
        return kept[shape].execute(values)

    return asked


def _spell_select(rows: QuerySet[Any]) -> Spelling:
    compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
    text, parameters = compiler.as_sql()
    return Spelling(text, parameters, Reader.of(compiler))


def _spell_update(update: Update[Any]) -> Spelling:
    query: Any = update.rows.query.chain(UpdateQuery)
    query.add_update_values(dict(update.values))
    return Spelling(*query.get_compiler(DEFAULT_DB_ALIAS).as_sql())


def _spell_returning(update: Update[Any]) -> Spelling:
    changing = _spell_update(update)
    compiler = update.rows.query.get_compiler(DEFAULT_DB_ALIAS)
    compiler.as_sql()
    columns = ", ".join(text for _, (text, _), _ in compiler.select)
    return Spelling(f"{changing.text} RETURNING {columns}", changing.parameters, Reader.of(compiler))


def _spell_delete(rows: QuerySet[Any]) -> Spelling:
    return Spelling(*rows.query.chain(DeleteQuery).get_compiler(DEFAULT_DB_ALIAS).as_sql())


def _places(values: Sequence[Any]) -> list[Any]:
    return [
        tuple(Given(place, item) for item in range(len(value))) if isinstance(value, tuple) else Given(place)
        for place, value in enumerate(values)
    ]


def _prepare(value: Any) -> Any:
    """As the database takes it; all else both databases take as it is."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, list | dict):
        return connection.ops.adapt_json_value(value, None)
    return value
