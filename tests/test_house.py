"""The rules of the house, held by tests: who may import whom, where SQL and drivers live, what is documented."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest

from eventstore import EventStore
from eventstore.recorders import Recorder
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._forgetting import Forgetting
from langgraph.checkpoint.eventstore._history import History
from langgraph.checkpoint.eventstore.answers.sessions import Session
from langgraph.checkpoint.eventstore.moving import Moving
from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay
from projections import Audit, Branches, Checkpoints, Recovery, Timeline, Usage

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
# From the bottom to the top: each may import those before it.
LAYERS = (
    "eventstore_shadowing",
    "eventstore",
    "projections",
    "langgraph.checkpoint.eventstore",
    "eventstore_views",
    "eventstore_cli",
    "eventstore_eventsourcing",
    "eventstore_pytest",
)
# Importing this does nothing but lead to an adapter: other libraries know it by the old address.
ADDRESS = "eventstore.persistence"
LONGEST = 400
SOURCES = {
    "eventstore_shadowing": ROOT / "adapters" / "eventstore_shadowing",
    "eventstore": ROOT / "eventstore",
    "projections": ROOT / "projections",
    "langgraph.checkpoint.eventstore": ROOT / "adapters" / "langgraph" / "checkpoint" / "eventstore",
    "eventstore_views": ROOT / "adapters" / "eventstore_views",
    "eventstore_cli": ROOT / "adapters" / "eventstore_cli",
    "eventstore_eventsourcing": ROOT / "adapters" / "eventstore_eventsourcing",
    "eventstore_pytest": ROOT / "adapters" / "eventstore_pytest",
}
DRIVERS = {"aiosqlite", "psycopg", "psycopg_pool", "sqlite3"}
# Who knows the statements of the `.sql` files; and where `load_queries` is defined.
GATEWAYS = (
    "eventstore.recorders",
    "projections.tables",
    "langgraph.checkpoint.eventstore.moving._tables",  # of LangGraph's own savers
    "eventstore.queries",
)
SHAPELESS = re.compile(r"_?(utils?|helpers?|common|managers?|misc|tools)")
SQL = re.compile(
    r"\b(SELECT\s.*\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+(TABLE|INDEX))\b",
    re.DOTALL,
)


@dataclass(frozen=True)
class Module:
    name: str
    layer: str
    path: Path
    tree: ast.Module

    def imports(self) -> set[str]:
        """The names of the modules it imports: also in functions, and for type checkers only."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = self._absolute(node)
                # A module may be imported out of its package, or a name out of its module.
                parts = {f"{source}.{alias.name}" for alias in node.names}
                found.update(parts if parts <= _names() else {source})
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, node.module] if node.module else package)


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for layer, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            name = ".".join([layer, *(part for part in inner if part != "__init__")])
            found.append(Module(name, layer, path, ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _mentioned(tree: ast.Module) -> Iterator[str]:
    """The names that are imported or used, attributes included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name


def each(cases: Callable[[], Iterable[tuple[str, T]]]) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make one test of a rule for many: it names all that break the rule. Thousands of tests would take longer."""

    def over_all(rule: Callable[[T], None]) -> Callable[[], None]:
        def held() -> None:
            broken = []
            for name, case in cases():
                try:
                    rule(case)
                except AssertionError as error:
                    broken.append(f"{name}: {str(error).partition(chr(10))[0]}")
            assert not broken, "\n".join(broken)

        return held

    return over_all


each_module = each(lambda: [(module.name, module) for module in modules()])
each_layer = pytest.mark.parametrize("layer", LAYERS)


@each_module
def test_imports_point_one_way(module: Module) -> None:
    if module.name != ADDRESS:
        above = LAYERS[LAYERS.index(module.layer) + 1 :]
        assert not [name for name in module.imports() for layer in above if _within(name, layer)]


def test_nothing_imports_the_address_that_leads_up() -> None:
    assert not [module.name for module in modules() if ADDRESS in module.imports()]


@each_module
def test_each_module_is_read_in_one_sitting(module: Module) -> None:
    assert len(module.path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@each_module
def test_nothing_private_of_the_log_is_imported_by_another_package(module: Module) -> None:
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and _within(node.module or "", "eventstore"):
            parts = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            assert node.module == package or not [part for part in parts if part.startswith("_")]


@each_module
def test_the_log_knows_nothing_of_language_models(module: Module) -> None:
    if module.layer == "eventstore":
        assert not [name for name in module.imports() if name.startswith("lang")]


def test_no_module_imports_itself_through_others() -> None:
    graph = {module.name: module.imports() & _names() - {module.name} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


@each_module
def test_only_recorders_import_a_database_driver(module: Module) -> None:
    if not _within(module.name, "eventstore.recorders"):
        assert not {name.partition(".")[0] for name in module.imports()} & DRIVERS


@each_module
def test_only_recorders_put_sql_together(module: Module) -> None:
    """Elsewhere SQL is reviewed as SQL, in `.sql` files."""
    if not _within(module.name, "eventstore.recorders"):
        assert not [text for text in _strings(module.tree) if SQL.search(text)]


@each_module
def test_only_the_gateways_to_the_tables_load_sql(module: Module) -> None:
    """All others call methods of tables, and know neither the names of statements nor the order of columns."""
    if not any(_within(module.name, gateway) for gateway in GATEWAYS):
        assert "load_queries" not in {name.rpartition(".")[2] for name in _mentioned(module.tree)}


@each_module
def test_each_module_is_named_for_its_idea(module: Module) -> None:
    assert not [part for part in module.name.split(".") if SHAPELESS.fullmatch(part)]


@each_module
def test_each_module_says_what_it_is(module: Module) -> None:
    assert ast.get_docstring(module.tree)


def test_packages_that_others_share_have_no_init() -> None:
    assert not list((ROOT / "adapters").glob("__init__.py"))
    assert not list((ROOT / "adapters" / "langgraph").glob("__init__.py"))
    assert not list((ROOT / "adapters" / "langgraph" / "checkpoint").glob("__init__.py"))


@each_layer
def test_types_are_published(layer: str) -> None:
    assert (SOURCES[layer] / "py.typed").is_file()


# What is public


@each_layer
def test_all_is_complete_and_sorted(layer: str) -> None:
    package = importlib.import_module(layer)
    tools = {"annotations", "Any", "TYPE_CHECKING", "import_module"}
    for name in package.__all__:
        assert hasattr(package, name)  # some are imported when they are asked for
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in tools
    }
    assert set(package.__all__) == public
    assert list(package.__all__) == sorted(public, key=_constants_classes_functions)


@each_layer
def test_everything_public_is_documented(layer: str) -> None:
    package = importlib.import_module(layer)
    bare = []
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            bare += [] if _documented(value) else [name]
        if inspect.isclass(value):
            bare += [f"{name}.{member}" for member, what in vars(value).items() if _needs_words(member, what, value)]
    assert not bare


# Async twins

FACADES = (
    EventStore,
    Checkpoints,
    Branches,
    Timeline,
    Audit,
    Usage,
    Recovery,
    EventStoreSaver,
    Forgetting,
    History,
    SelectiveReplay,
    Moving,
    Session,
)
# Async methods that are written by hand, and why.
BY_HAND = {
    "EventStore.aclose": "it ends the workers, so that none of them can carry it out",
    "EventStoreSaver.aput": "a checkpoint is saved as it is at the call, not as it is when a worker is free",
    "Forgetting.adelete_thread": "LangGraph's takes less, and an attribute would have its type",
    "Forgetting.adelete_for_runs": "as `Forgetting.adelete_thread`",
    "Forgetting.acopy_thread": "as `Forgetting.adelete_thread`",
    "Forgetting.aprune": "LangGraph's returns nothing: only a method of its own can say that this one does",
    "SelectiveReplay.areplay": "the nodes run in the caller's event loop, and only the steps between on a worker",
    "History.areplay": "as `SelectiveReplay.areplay`",
}
# Modules that call the workers by hand, for those.
CALL_WORKERS = {
    "eventstore.workers",
    "langgraph.checkpoint.eventstore._forgetting",
    "langgraph.checkpoint.eventstore._saver",
    "langgraph.checkpoint.eventstore.replay.selective",
}


def _async_methods() -> Iterator[tuple[type, str, str]]:
    """The async methods of each facade, with the methods that they are twins of."""
    for facade in FACADES:
        for name in vars(facade):
            if name.startswith("a") and callable(getattr(facade, name[1:], None)):
                yield facade, name, name[1:]


each_async_method = pytest.mark.parametrize(
    ("facade", "name", "of"), [*_async_methods()], ids=lambda value: getattr(value, "__name__", value)
)


@pytest.mark.parametrize("facade", FACADES)
def test_all_that_is_async_is_named_like_what_is_not(facade: type) -> None:
    twins = {name for owner, name, _ in _async_methods() if owner is facade}
    public = {name: value for name, value in vars(facade).items() if not name.startswith("_")}
    assert {name for name, value in public.items() if inspect.iscoroutinefunction(value)} <= twins


@each_async_method
def test_an_async_method_takes_what_its_twin_takes(facade: type, name: str, of: str) -> None:
    its, twins = (inspect.signature(getattr(facade, each)).parameters for each in (name, of))
    assert [*its.values()] == [*twins.values()]


@each_async_method
def test_an_async_method_is_made_of_its_twin(facade: type, name: str, of: str) -> None:
    made = inspect.unwrap(getattr(facade, name)) is inspect.unwrap(getattr(facade, of))
    assert made is (f"{facade.__name__}.{name}" not in BY_HAND)


@each_module
def test_only_twins_call_workers(module: Module) -> None:
    calls = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "run" and ast.unparse(node.value).endswith("workers")
    ]
    assert bool(calls) is (module.name in CALL_WORKERS)


def test_every_error_is_in_the_one_tree() -> None:
    from eventstore import errors

    strays = [
        f"{module.__name__}.{name}"
        for module in _imported()
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == module.__name__
        # What a test finds is an `AssertionError`, which no program handles.
        if not issubclass(value, AssertionError)
        # A private one is a jump inside its module, and never leaves it.
        if not name.startswith("_") and not (module is errors and issubclass(value, errors.EventStoreError))
    ]
    assert not strays


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    from eventstore import errors

    drawn = re.findall(r"\w+Error\b", (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0])
    assert sorted(drawn) == sorted(name for name in vars(errors) if name.endswith("Error"))


def _constants_classes_functions(name: str) -> tuple[int, str]:
    # The order in which ruff sorts, too.
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _documented(value: object) -> bool:
    text = value.__doc__ or ""
    # What `dataclass` and `NamedTuple` write by themselves is the signature.
    return bool(text) and not text.startswith(f"{getattr(value, '__name__', '')}(")


def _needs_words(name: str, member: object, owner: type) -> bool:
    if name.startswith("_") or not (inspect.isroutine(member) or isinstance(member, property)):
        return False
    # A method that carries out an interface may leave the words to it.
    return not inspect.getdoc(getattr(owner, name))


def _imported() -> Iterator[ModuleType]:
    for layer in LAYERS:
        package = importlib.import_module(layer)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{layer}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


# SQL

# Each package with SQL of its own, and where that stands.
SQL_OF = {
    ".".join([layer, *folder.relative_to(source).parts[:-1]]): folder
    for layer, source in SOURCES.items()
    for folder in source.rglob("sql")
}
OWNERS = sorted(SQL_OF)
each_owner = pytest.mark.parametrize("layer", OWNERS)
DIALECTS = ("postgres", "sqlite")
COMMON = "common"


def test_the_log_has_sql() -> None:
    assert "eventstore" in OWNERS


@each_owner
def test_both_dialects_define_the_same_blocks(layer: str) -> None:
    postgres, sqlite = (_blocks(SQL_OF[layer] / dialect) for dialect in DIALECTS)
    # A file of one dialect alone holds what the other database has no need of.
    for file in postgres.keys() & sqlite.keys():
        assert sorted(postgres[file]) == sorted(sqlite[file]), file


@each_owner
@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_block_is_defined_once(layer: str, dialect: str) -> None:
    names = _names_of_blocks(layer, COMMON) + _names_of_blocks(layer, dialect)
    assert len(names) == len(set(names))


@each_owner
def test_every_block_is_used(layer: str) -> None:
    defined = {name for folder in (COMMON, *DIALECTS) for name in _names_of_blocks(layer, folder)}
    unused = defined - {text for module in modules() for text in _strings(module.tree)}
    assert not unused


@each_owner
def test_what_is_the_same_in_both_dialects_stands_once(layer: str) -> None:
    postgres, sqlite = (_statements(SQL_OF[layer] / dialect) for dialect in DIALECTS)
    assert not [name for name in postgres.keys() & sqlite.keys() if postgres[name] == sqlite[name]]


@each_owner
def test_both_dialects_have_the_same_migrations_without_a_gap(layer: str) -> None:
    postgres, sqlite = (
        sorted(path.name for path in (SQL_OF[layer] / dialect / "migrations").glob("*.sql")) for dialect in DIALECTS
    )
    assert postgres == sqlite
    assert [int(name.partition("_")[0]) for name in postgres] == list(range(1, len(postgres) + 1))


def _blocks(folder: Path) -> dict[str, list[str]]:
    """The names of the blocks in each file of queries."""
    return {
        path.name: re.findall(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        for path in folder.glob("*.sql")
    }


def _statements(folder: Path) -> dict[str, str]:
    """The blocks of a dialect by their names: without comments, however they are set, and with no schema."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.sql"))
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    plain = (re.sub(r"^\s*--.*$", "", body, flags=re.MULTILINE).replace("{schema}.", "") for body in parts[1::2])
    return dict(zip(parts[::2], (" ".join(body.split()) for body in plain), strict=True))


def _names_of_blocks(layer: str, dialect: str) -> list[str]:
    return [name for names in _blocks(SQL_OF[layer] / dialect).values() for name in names]


def _strings(tree: ast.Module) -> Iterator[str]:
    """All string constants that are not docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


# Docstrings

FOLDERS = ("adapters", "benchmarks", "docs", "eventstore", "projections", "tests")
QUESTION = re.compile(r"\s*(What|Whether|Which|Who)\b")


def test_no_docstring_begins_like_a_question() -> None:
    """A docstring begins with a noun or an imperative: `The findings.`, `Return whether …`."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    assert not [
        f"{path.relative_to(ROOT)}:{node.lineno}: {text}"
        for path in paths
        for node, text in _docstrings(ast.parse(path.read_text(encoding="utf-8")))
        if QUESTION.match(text)
    ]


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Expr, str]]:
    """Yield all docstrings, also those of constants and attributes: strings that are statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node, node.value.value


# Tests

# What the standard library, and notebooks, call so and publish.
PUBLISHED = {"_asdict", "_exit", "_getframe", "_replace", "_repr_html_"}


@cache
def modules_of_tests() -> tuple[tuple[str, ast.Module], ...]:
    """All modules of the tests, with their paths."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


each_test_module = each(modules_of_tests)


@each_test_module
def test_tests_know_nothing_private_but_their_own(tree: ast.Module) -> None:
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    used: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            if ast.unparse(node.value) in ("self", "cls"):
                own.add(node.attr)
            else:
                used[node.attr] = ast.unparse(node)
    assert not {whole for name, whole in used.items() if name not in own | PUBLISHED}


@each_test_module
def test_tests_put_nothing_in_the_place_of_a_part_of_ours(tree: ast.Module) -> None:
    """Replacements are passed in: recorders above all, such as those of `tests.support.relays`."""
    sources = _sources_of_names(tree)
    assert "unittest.mock" not in sources.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in vars(Recorder):
            assert ast.unparse(node.value) == "self"
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("setattr", "delattr"):
            target = node.args[0]
            place = str(target.value) if isinstance(target, ast.Constant) else sources.get(_root(target), LAYERS[0])
            assert not [layer for layer in LAYERS if _within(place, layer)], ast.unparse(node)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _root(node: ast.AST) -> str:
    """The name that an expression begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return ast.unparse(node)


def _sources_of_names(tree: ast.Module) -> dict[str, str]:
    """Where the names come from that a module imports."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
    return found


def test_no_test_module_imports_from_another() -> None:
    borrowed = {
        (source, alias.name)
        for _, tree in modules_of_tests()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (source := (node.module or "").rpartition(".")[2]).startswith("test_")
        for alias in node.names
    }
    assert not borrowed


def test_what_tests_share_stands_in_one_folder() -> None:
    names = {path.name for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "support"}
    assert [name for name in sorted(names) if not name.startswith("test_")] == ["__init__.py", "conftest.py"]
