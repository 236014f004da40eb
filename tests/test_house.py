"""The rules of the house, made executable. Whoever breaks one reads here which and why."""

import ast
import os
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic import BaseModel

ROOT = Path(__file__).parent.parent
PACKAGES = ("dispatcher", "workers")
CODE = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))
PYTHON = [*CODE, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

LONGEST_FILE, LONGEST_FUNCTION = 400, 60
MEDIAN_FUNCTION, NINTH_FUNCTION = 12, 30
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
FORBIDDEN_WORDS = re.compile(r"(?i)(campaign|blast|blocklist|cronjob)")
CANVAS_WORDS = ("chord", "group", "chain", "chunks", "signature")
CANVAS = {f"celery{room}.{word}" for room in ("", ".canvas") for word in CANVAS_WORDS}
PUBLIC_ROUTES = {
    ("POST", "/webhooks/{account}"),
    ("POST", "/signals/{tool}/{source}"),
    ("OPTIONS", "/signals/{tool}/{source}"),
    ("POST", "/unsubscribe/{token}"),
    ("GET", "/unsubscribe/{token}"),
    ("GET", "/verify"),
    ("GET", "/status"),
    ("GET", "/status/{path:path}"),
    ("GET", "/verify/{code}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
NOBODYS = {"phishing.gov.uk", "sns.eu-west-1.amazonaws.com"}
"""Where the public reports scams; a host after a user name in a URL."""
SAFE_MAIL = re.compile(r"(?:^|\.)(?:example(?:\.(?:com|org|net|co\.uk))?|test|invalid|localhost)$")


def named(path):
    return str(path.relative_to(ROOT))


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path):
    return tuple(ast.walk(tree(path)))


def functions(path):
    return [n for n in nodes(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function):
    return function.end_lineno - function.lineno + 1


def imports(path):
    """Every module that a file imports, at load or later."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def tracked():
    """Every file that git knows or would know: neither ignored nor outside."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def texts():
    return [p for p in tracked() if p.suffix in {".py", ".md", ".toml", ".txt", ".html", ".mjml", ".sql", ".csv", ""}]


def offences(paths, look):
    """What `look` finds in each file, as `file:line what`; an empty list is a clean house."""
    return [f"{named(path)}:{line} {what}" for path in paths for line, what in look(path)]


def lines_with(pattern):
    """A look for the lines of a file in which the pattern is found."""

    def look(path):
        lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        return [(number, line.strip()) for number, line in lines if pattern.search(line)]

    return look


# --- size and names


def test_a_file_can_be_read_in_one_sitting():
    sizes = {named(p): len(p.read_text(encoding="utf-8").splitlines()) for p in PYTHON}
    assert {name: size for name, size in sizes.items() if size > LONGEST_FILE} == {}


def test_a_function_fits_a_screen():
    def look(path):
        return [(f.lineno, f"{f.name}: {length(f)} lines") for f in functions(path) if length(f) > LONGEST_FUNCTION]

    assert offences(CODE, look) == []


def test_most_functions_are_short():
    lengths = sorted(length(f) for path in CODE for f in functions(path))
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert lengths[int(len(lengths) * 0.9)] <= NINTH_FUNCTION


def test_names_say_what_lives_there():
    assert [named(p) for p in PYTHON if {p.stem, p.parent.name} & FORBIDDEN_NAMES] == []


def test_one_word_per_thing():
    def look(path):
        defined = (n for n in nodes(path) if isinstance(n, ast.ClassDef | ast.FunctionDef))
        return [(n.lineno, n.name) for n in defined if FORBIDDEN_WORDS.search(n.name)]

    assert offences(CODE, look) == []


def test_a_module_says_what_lives_in_it():
    assert [named(p) for p in CODE if p.stat().st_size > 200 and not ast.get_docstring(tree(p))] == []


def test_nothing_is_left_for_later():
    left = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b|[Ll]orem ipsum|pragma: no cover")
    everywhere = outside("dispatcher/compose/lint")  # which looks for such marks in messages
    assert offences(everywhere, lines_with(left)) == []


def test_no_possessive_group_in_a_pattern():
    """Python before 3.11.5 matches `(?:…)*+` and its like wrongly where the group may give back (gh-106052)."""
    possessive = re.compile(r"\(\?.*(?<!\\)\)(?:[*+?]|\{[\d,]+\})\+")
    assert offences(CODE, lines_with(possessive)) == []


# --- who may do what


def test_only_the_settings_read_the_environment():
    def look(path):
        yield from ((n.lineno, n.attr) for n in attributes(path, "os") if n.attr in {"environ", "environb", "getenv"})
        yield from ((0, name) for name in imports(path) if name in {"os.environ", "os.getenv", "os.environb"})

    assert offences([p for p in CODE if p.parent != ROOT / "dispatcher/settings"], look) == []


def attributes(path, *owners):
    """Every `owner.attribute` in a file."""
    found = (n for n in nodes(path) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return [n for n in found if n.value.id in owners]


def packages(*names):
    return lambda path: [(0, module) for module in imports(path) if module.partition(".")[0] in names]


def outside(*rooms):
    """Every file that lies in none of these files or folders."""
    places = [ROOT / room for room in rooms]
    return [p for p in CODE if not any(p == place or place in p.parents for place in places)]


def test_celery_and_the_web_framework_stay_in_their_rooms():
    assert offences(outside("workers", "dispatcher/doorbell.py"), packages("celery", "kombu", "billiard")) == []
    assert offences(outside("dispatcher/web"), packages("fastapi", "starlette")) == []


def test_a_vendor_is_known_only_in_its_own_file():
    """The sandbox speaks the wire; everybody else asks by entry point."""
    sdks = packages("sendgrid", "python_http_client", "twilio", "tweepy", "aiosmtplib")
    assert offences(outside("dispatcher/providers"), sdks) == []

    def look(path):
        return [(0, module) for module in imports(path) if module.startswith("dispatcher.providers.")]

    assert offences(CODE, look) == []


def test_the_ledger_is_the_queue():
    """Work that waits, waits in the ledger: no Celery ETA, countdown, retry or canvas."""

    def look(path):
        rings = ROOT / "workers" in path.parents or path.name == "doorbell.py"
        for call in (n for n in nodes(path) if isinstance(n, ast.Call)):
            if rings or getattr(call.func, "attr", "") in {"apply_async", "send_task", "signature", "retry"}:
                yield from ((call.lineno, k.arg) for k in call.keywords if k.arg in {"eta", "countdown"})
        workers = ROOT / "workers" in path.parents
        retries = (n for n in nodes(path) if isinstance(n, ast.Attribute) and n.attr == "retry")
        yield from ((n.lineno, "retry") for n in retries if workers or getattr(n.value, "id", "") in {"self", "task"})
        yield from ((0, module) for module in imports(path) if module in CANVAS)

    assert offences(CODE, look) == []


def test_time_comes_in_by_the_door():
    def look(path):
        asked = (n for n in attributes(path, "datetime", "date") if n.attr in {"now", "utcnow", "today"})
        yield from ((n.lineno, n.attr) for n in asked)
        yield from ((n.lineno, "time.time") for n in attributes(path, "time") if n.attr in {"time", "time_ns"})

    assert offences(outside("dispatcher/model/clock.py"), look) == []


# --- providers


def providers():
    return sorted(p for p in (ROOT / "dispatcher/providers").glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("path", providers(), ids=lambda p: p.stem)
def test_a_provider_is_one_file_one_test_and_one_line(path):
    lines = [e for e in entry_points(group="dispatcher.providers") if e.module == f"dispatcher.providers.{path.stem}"]
    classes = [n for n in tree(path).body if isinstance(n, ast.ClassDef) and says_channel(n)]
    assert len(lines) == len(classes) >= 1
    assert (ROOT / f"tests/providers/test_{path.stem}.py").is_file()


def says_channel(cls):
    return any(isinstance(n, ast.AnnAssign) and getattr(n.target, "id", "") == "channel" for n in cls.body)


def test_every_line_of_the_provider_table_loads():
    from dispatcher import provider

    for kind in provider.kinds():
        loaded = provider.load(kind)
        assert loaded.name == kind
        assert issubclass(loaded.Settings, provider.ProviderSettings)


# --- processes and routes


def test_the_procfile_listens_to_every_queue():
    from workers import queues

    assert queues.listened_to(ROOT / "Procfile") == {queue.name for queue in queues.declared()}


def routes_of(router):
    """Every route, those of included routers too."""
    for route in router.routes:
        yield from routes_of(route.original_router) if hasattr(route, "original_router") else [route]


def test_no_route_but_the_public_ones(make_settings):
    from dispatcher import bootstrap
    from dispatcher.web.app import create

    app = create(bootstrap.build(make_settings()))
    found = {(method, route.path) for route in routes_of(app) for method in route.methods}
    assert {(m, p) for m, p in found if m != "HEAD"} == PUBLIC_ROUTES
    told = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
    assert [f"{m} {p}" for m, p in PUBLIC_ROUTES if f"`{m} {p}`" not in told] == []


# --- the words of the project


def models(model):
    """A settings table and every table below it."""
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from models(field.annotation)


def test_every_setting_is_read_by_somebody():
    """A setting that nothing reads is a promise that nothing keeps."""
    from dispatcher import provider
    from dispatcher.settings import Settings

    read = {n.attr for path in CODE for n in nodes(path) if isinstance(n, ast.Attribute)}
    tables = [*models(Settings), *(provider.load(kind).Settings for kind in provider.kinds())]
    assert sorted({f"{m.__name__}.{name}" for m in tables for name in m.model_fields if name not in read}) == []


def test_the_reference_says_what_the_code_says():
    check = [sys.executable, str(ROOT / "docs/reference/write.py"), "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_link_of_the_documents_leads_nowhere():
    link = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
    pages = [p for p in tracked() if p.suffix == ".md"]
    broken = [f"{named(p)}: {to}" for p in pages for to in link.findall(p.read_text()) if not (p.parent / to).exists()]
    assert broken == []


def test_every_provider_has_a_page_that_tells_how_to_set_it_up():
    told = (ROOT / "docs/how-to/accounts.md").read_text(encoding="utf-8")
    assert [path.stem for path in providers() if f"`{path.stem}`" not in told] == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = [p for p in tracked() if p.suffix == ".md" and (ROOT / "docs") in p.parents and p.name != "index.md"]
    assert [named(p) for p in pages if str(p.relative_to(ROOT / "docs")) not in index] == []


def test_only_invented_people_are_written_down():
    address = re.compile(r"[A-Za-z0-9.+_-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,})")

    def look(path):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            hosts = ((m[0], m[1].lower()) for m in address.finditer(line))
            yield from ((number, found) for found, host in hosts if host not in NOBODYS and not SAFE_MAIL.search(host))

    assert offences(texts(), look) == []


# --- what ships


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """A wheel built from a copy of what git knows, with secrets lying about in ignored files."""
    copy = tmp_path_factory.mktemp("copy")
    for path in tracked():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for ignored in ("config/local.toml", "config/site.toml", "templates/ledger.db", "dispatcher/x.pyc"):
        (copy / ignored).write_text("a secret", encoding="utf-8")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(copy / "out")], cwd=copy, check=True, capture_output=True)
    return next((copy / "out").glob("*.whl"))


def test_the_wheel_holds_what_git_knows_and_nothing_else(wheel):
    shipped = {f"dispatcher/_shipped/{kind}/": f"{kind}/" for kind in ("templates", "config")}
    known = {named(p) for p in tracked()}
    packed = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    for name in packed:
        origin = next((to + name.removeprefix(at) for at, to in shipped.items() if name.startswith(at)), name)
        assert origin in known, name
    wanted = {n for n in known if n.split("/")[0] in {*PACKAGES, "templates", "config"}}
    assert len(packed) == len(wanted)


def test_the_installed_wheel_finds_what_it_ships(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        "from dispatcher import resources as r; print(r.find('config', 'default.toml')); print(r.shipped('templates'))"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], cwd="/", env=env, capture_output=True, text=True, check=True)
    found = [Path(line) for line in ran.stdout.splitlines()]
    assert found == [
        tmp_path / "dispatcher/_shipped/config/default.toml",
        tmp_path / "dispatcher/_shipped/templates",
    ]


def test_every_dependency_is_bounded():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = project["dependencies"] + project["optional-dependencies"]["test"]
    assert [need for need in needs if ">=" not in need] == []
