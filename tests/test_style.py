"""House rules that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("encoder", "index", "service", "migrations", "benchmarks")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
WRITTEN = [p for p in SOURCES if "versions" not in p.parts]
# The packages that are read as a map: what is measured lies flat in `benchmarks`.
MAPPED = ("encoder", "index", "service")
MODULES = [p for p in SOURCES if p.relative_to(ROOT).parts[0] in MAPPED]
MODULES_IN_A_FOLDER = 13
# The schemas of the HTTP API are named for what they show, and what the client makes of them, which
# is read apart from all else, is named as they are.
SHAPES = {
    *(ROOT / "service" / "api" / "answers").glob("*.py"),
    *(ROOT / "service" / "client").glob("*.py"),
}

LOG_METHODS = {
    *("debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"),
}
LOGGER = re.compile(r"(?<![a-z])log(ger|ging)?(?![a-z])")
PERSONAL = {"data", "embedding", "filename", "image", "name", "vector"}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WRITTEN, ids=short)
def test_no_asserts_and_no_pickle(path: Path) -> None:
    tree = parsed(path)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert not imported & {"pickle", "shelve", "marshal", "dill"}


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_catch_all_names(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "misc", "common"}


def test_nothing_large_but_models_is_tracked() -> None:
    large = {p for p in tracked() if p.stat().st_size > 2**20}
    assert all("models" in path.parts and path.stat().st_size <= 8 * 2**20 for path in large)


def test_no_addresses_of_package_registries() -> None:
    # Put together here, so that this file does not name them either.
    hosts = [b"files." + b"pythonhosted", b"registry." + b"npmjs", b"deb." + b"debian.org"]
    for path in tracked():
        content = path.read_bytes()
        assert not [host for host in hosts if host in content], path


def test_what_make_check_leaves_out_is_there() -> None:
    make = ["make", "--dry-run", "--old-file=.venv/.developing", "check"]
    shown = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    left_out = re.findall(r"--ignore=(\S+)", shown)
    assert left_out
    assert [path for path in left_out if not (ROOT / path).exists()] == []


def logged(tree: ast.AST) -> Iterator[ast.Call]:
    """Give the calls that write to a log, whatever the logger is called or held by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            receiver = ast.unparse(node.func.value).lower()
            if node.func.attr in LOG_METHODS and LOGGER.search(receiver):
                yield node


def words(node: ast.AST) -> Iterator[str]:
    """Give what an expression names: variables, attributes, arguments, keys."""
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                yield name
            case ast.Dict(keys=keys):
                yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


def personal(call: ast.Call) -> set[str]:
    """Return what names a person or a signature among the arguments: `image`, not `image_id`."""
    given = [*call.args, *call.keywords]
    named = {name for one in given for name in words(one) if not name.startswith("__")}
    return {name for name in named if name.lower().split("_")[-1].removesuffix("s") in PERSONAL}


@pytest.mark.parametrize("path", WRITTEN, ids=short)
def test_logs_name_no_names_and_no_images(path: Path) -> None:
    found = {call.lineno: personal(call) for call in logged(parsed(path))}
    assert {line: told for line, told in found.items() if told} == {}


@pytest.mark.parametrize(
    "line",
    [
        'logger.info("enrolled %s", name)',
        'logger.info(\n    "enrolled %s from %s",\n    writer.id,\n    writer.name,\n)',
        'logger.warning(f"no ink in {upload.filename!r}")',
        'self._logger.error("refused", extra={"image": content})',
        'logging.getLogger(__name__).debug("near %s", list(query_vectors))',
        'app.logger.exception("no %s" % row["name"])',
        'log.log(logging.INFO, "read {}".format(len(data)))',
        'logger.info("read %(what)s", embedding=one)',
    ],
)
def test_a_log_that_names_is_seen(line: str) -> None:
    assert [bool(personal(call)) for call in logged(ast.parse(line))] == [True]


@pytest.mark.parametrize(
    "line",
    [
        'logger.info("the name of an image", reason)',
        'logger.warning("%s failed", type(error).__name__, exc_info=error)',
        'logger.info("%d images in %s", image_count, settings.data_dir)',
        "print(name, filename)\nmath.log(data)\nlogin.error(name)",
    ],
)
def test_a_log_of_what_happened_is_let_through(line: str) -> None:
    assert not any(personal(call) for call in logged(ast.parse(line)))


def packages(*tops: str) -> list[Path]:
    return sorted({p.parent for top in tops for p in (ROOT / top).rglob("*.py")})


@pytest.mark.parametrize("folder", packages(*MAPPED, "tests"), ids=short)
def test_a_folder_is_taken_in_at_a_glance(folder: Path) -> None:
    modules = sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")
    assert len(modules) <= MODULES_IN_A_FOLDER, modules


@pytest.mark.parametrize("folder", packages(*MAPPED), ids=short)
def test_a_package_says_in_one_sentence_what_it_holds(folder: Path) -> None:
    opening, *_ = (ast.get_docstring(parsed(folder / "__init__.py")) or "").split("\n\n")
    assert re.fullmatch(r"[A-Z][^.!?]*(\.\w[^.!?]*)*\.", opening), opening


@pytest.mark.parametrize("folder", packages("tests"), ids=short)
def test_a_folder_of_tests_mirrors_a_package(folder: Path) -> None:
    assert (
        list((ROOT / folder.relative_to(ROOT / "tests")).glob("*.py")) or folder == ROOT / "tests"
    )


@pytest.mark.parametrize("package", MAPPED)
def test_a_class_shares_its_name_with_no_other(package: str) -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        if short(path).startswith(f"{package}/") and path not in SHAPES:
            for node in parsed(path).body:
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(short(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def raising(docstring: str) -> list[str]:
    """Return the sentences that tell of errors outside the section for them."""
    section = r"^([ ]*)Raises:\n(?:\1[ ]+.*\n?|[ ]*\n)+"
    told = " ".join(re.sub(section, "", docstring, flags=re.MULTILINE).split())
    return re.findall(r"(?:^|[.;:,] )raises\b[^.;]*", told, flags=re.IGNORECASE)


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_errors_are_documented_in_a_section_of_their_own(path: Path) -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(parsed(path))
        if isinstance(node, documented)
    ]
    assert [sentence for one in docstrings for sentence in raising(one)] == []


@pytest.mark.parametrize(
    ("docstring", "count"),
    [
        ("Read it.\n\nRaises:\n    InvalidWriter: Raises nothing else;\n        raises that.\n", 0),
        ("Read it; what the mean has in common\nraises the similarity.", 0),
        ("Read it; raises InvalidWriter.", 1),
        ("Read it.\n\nIt is read once. Raises InvalidVector, and\nKeyError for none.", 1),
        ("Read it.\n\nRaises: KeyError for none.", 1),
        ("Read it.\n\nRaises:\n    KeyError: None.\n\nIt is kept. Raises ValueError.", 1),
    ],
)
def test_errors_outside_their_section_are_seen(docstring: str, count: int) -> None:
    assert len(raising(docstring)) == count
