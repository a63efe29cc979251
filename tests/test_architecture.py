"""The house stays as it is drawn: floors, purity of the core, sizes, suites, and who may know whom."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

import failover.testing
from failover import ports

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "failover"
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 450

CORE_MAY_IMPORT = {
    "collections.abc",
    "dataclasses",
    "enum",
    "hashlib",
    "ipaddress",
    "re",
    "typing",
}
"""No I/O, no clock, no randomness, no logging, nobody else's package."""

SUITES = {
    "Account": "CloudConformance",
    "Compute": "CloudConformance",
    "Depot": "CloudConformance",
    "Dns": "DnsConformance",
    "Authority": "DnsConformance",
    "Resolver": "ResolverConformance",
    "Survey": "SurveyConformance",
    "Registry": "RegistryConformance",
    "Probe": "ProbeConformance",
    "Agent": "AgentConformance",
    "Store": "StoreConformance",
    "Lease": "LeaseConformance",
    "Runtime": "RuntimeConformance",
}
WITHOUT_SUITE = {
    "Notifier": "one call without an answer",
    "Hook": "one call without an answer",
}
SELF_EXPLAINING = {"traits", "orders", "close", "release", "send", "now", "sleep"}
ADAPTERS = ("clouds", "dns", "probes", "stores", "hooks")
KNOWS_ADAPTERS = {"cli/wiring.py"} | {f"cli/wiring_{side}.py" for side in ("clouds", "hosts", "preflight", "vantages")}
PROVIDER_LIBRARIES = ("boto3", "botocore", "libcloud")
MAY_KNOW_PROVIDERS = ("net", "clouds", "dns")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules(folder: Path = PACKAGE) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found
    return found


def imports(path: Path) -> Iterator[str]:
    """Every module that is imported anywhere in the file, also inside functions."""
    for item in ast.walk(tree(path)):
        if isinstance(item, ast.Import):
            yield from (alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0, f"{path}:{item.lineno}: a relative import"
            yield item.module or ""
            yield from (f"{item.module}.{alias.name}" for alias in item.names)


def inside(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_floors_of_the_house() -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_core_imports_only_what_is_pure() -> None:
    strange = [
        f"{path.relative_to(ROOT)} imports {item.module}"
        for path in modules(PACKAGE / "core")
        for item in ast.walk(tree(path))
        if isinstance(item, ast.ImportFrom) and not inside(item.module or "", "failover.core", *CORE_MAY_IMPORT)
    ]
    strange += [
        f"{path.relative_to(ROOT)} imports {alias.name}"
        for path in modules(PACKAGE / "core")
        for item in ast.walk(tree(path))
        if isinstance(item, ast.Import)
        for alias in item.names
        if alias.name not in CORE_MAY_IMPORT
    ]
    assert strange == []


def test_the_core_keeps_no_state_and_prints_nothing() -> None:
    """No `global`, and none of the built-ins that reach outside."""
    banned = {"open", "print", "input", "exec", "eval", "__import__"}
    strange = [
        f"{path.relative_to(ROOT)}:{item.lineno}"
        for path in modules(PACKAGE / "core")
        for item in ast.walk(tree(path))
        if isinstance(item, ast.Global)
        or (isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id in banned)
    ]
    assert strange == []


def test_nothing_is_mocked() -> None:
    """Fakes pass the suites instead; and tests of the core and the engine patch nothing at all."""
    mocking = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(ROOT / "tests")
        for name in imports(path)
        if inside(name, "unittest.mock", "mock", "pytest_mock")
    ]
    patching = [
        f"{path.relative_to(ROOT)}:{item.lineno}"
        for folder in ("core", "engine", "simulation")
        for path in modules(ROOT / "tests" / folder)
        for item in ast.walk(tree(path))
        if isinstance(item, ast.Attribute) and item.attr in ("setattr", "setitem", "delattr")
    ]
    assert mocking + patching == []


def test_functions_fit_a_screen_and_modules_a_sitting() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{item.lineno} {item.name} has {length} lines"
        for path in modules()
        for item in ast.walk(tree(path))
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (item.end_lineno or 0) - item.lineno + 1) > FUNCTION_LINES_MAX
    ]
    for path in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES_MAX:
            long.append(f"{path.relative_to(ROOT)} has {lines} lines")
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    assert [str(p.relative_to(ROOT)) for p in modules() if not ast.get_docstring(tree(p))] == []


def test_only_the_wiring_knows_the_adapters() -> None:
    """Their own package, the wiring, and the suites and memory adapters that share their pure rules."""
    strange = []
    for path in modules():
        place = path.relative_to(PACKAGE)
        if place.as_posix() in KNOWS_ADAPTERS or place.parts[0] == "testing":
            continue
        others = [f"failover.{name}" for name in ADAPTERS if name != place.parts[0]]
        strange += [f"{place} imports {name}" for name in imports(path) if inside(name, *others)]
    assert strange == []


def test_provider_libraries_stay_at_the_edge() -> None:
    strange = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        if path.relative_to(PACKAGE).parts[0] not in MAY_KNOW_PROVIDERS
        for name in imports(path)
        if inside(name, *PROVIDER_LIBRARIES)
    ]
    assert strange == []


# ------------------------------------------------------------------------------------ ports and their suites


def protocols() -> set[str]:
    found = inspect.getmembers(ports, inspect.isclass)
    return {name for name, item in found if Protocol in item.__mro__ and item.__module__ == ports.__name__}


def suites() -> dict[str, type]:
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(failover.testing.__path__):
        loaded = importlib.import_module(f"failover.testing.{module.name}")
        for name, item in inspect.getmembers(loaded, inspect.isclass):
            if name.endswith("Conformance") and item.__module__ == loaded.__name__:
                found[name] = item
    return found


def test_every_port_has_a_suite_that_ships() -> None:
    assert protocols() == {*SUITES, *WITHOUT_SUITE}
    assert set(SUITES.values()) <= set(suites())


def test_every_suite_has_something_to_say_and_is_described() -> None:
    for name, suite in suites().items():
        assert [n for n in dir(suite) if n.startswith("test_")], name
        assert suite.__doc__, name


@pytest.mark.parametrize("name", sorted(set(SUITES.values())))
def test_every_suite_is_passed_by_a_memory_adapter_and_a_real_one(name: str) -> None:
    """At least two classes of our own tests stand on each suite."""
    found = [
        f"{path.relative_to(ROOT)} {item.name}"
        for path in modules(ROOT / "tests")
        for item in ast.walk(tree(path))
        if isinstance(item, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == name for base in item.bases)
    ]
    assert len(found) >= 2, found


def test_every_port_says_what_it_promises() -> None:
    """A contract for every method; a plain value may go without."""
    silent = [
        f"{name}.{method}"
        for name in sorted(protocols())
        for method, item in vars(getattr(ports, name)).items()
        if inspect.isfunction(item)
        and not method.startswith("_")
        and not item.__doc__
        and method not in SELF_EXPLAINING
    ]
    assert silent == []
