"""Schema migrations: numbered `.sql` files, applied in order on open, each once, under a lock, and never edited.

Each package that owns tables is a component: its files are `sql/<dialect>/migrations/NNNN_name.sql`. What was applied
stands in `eventstore_migrations` with the file's digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256

from eventstore.errors import SchemaError
from eventstore.queries import Dialect, folder_of, quote_schema, statements_of, text_of
from eventstore.tuples import NamedTuple


class Migration(NamedTuple):
    """One numbered step of a component's schema."""

    component: str
    number: int
    name: str
    script: str
    digest: str

    @property
    def statements(self) -> Sequence[str]:
        """Its statements: taken apart when it is carried out, which is once in a store's life."""
        return statements_of(self.script)


@cache
def load_migrations(component: str, dialect: Dialect, schema: str = "") -> Sequence[Migration]:
    """The component's migrations in order."""
    found = []
    for file in sorted((folder_of(component) / dialect / "migrations").iterdir()):
        number, _, name = file.stem.partition("_")
        text = text_of(file)
        script = text if dialect == "sqlite" else text.replace("{schema}", quote_schema(schema))
        found.append(Migration(component, int(number), name, script, sha256(text.encode()).hexdigest()))
    return tuple(found)


def migrate(
    known: Sequence[Migration],
    applied: Mapping[int, str],
    apply: Callable[[Migration], None] | None,
    where: str = "this database",
) -> None:
    """Bring a component up to date; called inside the transaction that holds the schema lock.

    Args:
        known: The component's migrations, of this package.
        applied: The numbers and digests that the store has.
        apply: Applies one and notes it; `None` only verifies.
        where: The database, for messages.

    Raises:
        SchemaError: The store is newer than this package, differs from it, or is older and may not be migrated.
    """
    component, newest = known[0].component, known[-1].number
    found = max(applied, default=0)
    if found > newest:
        raise SchemaError(component, found, newest, "the store was written by a newer version, upgrade this one")
    for migration in known:
        digest = applied.get(migration.number)
        if digest is None:
            if apply is None:
                advice = "open it once with migrate=True, or run what `eventstore migrate --sql` prints"
                missing = "" if found else f"there is no store yet in {where} (no tables of {component!r}): "
                raise SchemaError(component, found, newest, missing + advice)
            apply(migration)
        elif digest != migration.digest:
            advice = (
                f"its migration {migration.number} is not the one of this package, which released ones never change"
            )
            raise SchemaError(component, found, newest, advice)
