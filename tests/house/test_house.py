"""The rules of the house, walked over every file of ours."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.house import rules

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 100
MQTT_CALLS = ("publish", "subscribe", "will_set")


def test_house_rooms_import_only_what_they_may() -> None:
    seen = 0
    wrong = []
    for path in rules.sources("gateway", "drivers", "tools"):
        name = rules.module(path)
        mine = rules.room(name)
        for imported, line, _ in rules.imports(path):
            if imported.split(".")[0] not in rules.OURS:
                continue
            seen += 1
            theirs = rules.room(imported)
            allowed = (mine, *rules.ROOMS[mine])
            if not any(theirs == one or theirs.startswith(f"{one}.") for one in allowed):
                wrong.append(f"{path.relative_to(rules.ROOT)}:{line}: {name} imports {imported}")
    assert not wrong, "\n".join(wrong)
    assert seen > 100


def test_house_nothing_imports_tools_or_tests() -> None:
    wrong = [
        f"{path}:{line}"
        for path in rules.sources("gateway", "drivers")
        for imported, line, _ in rules.imports(path)
        if imported.split(".")[0] in {"tools", "tests"}
    ]
    assert not wrong


def test_house_portable_files_import_only_what_both_pythons_have() -> None:
    wrong = []
    files = rules.portable_sources()
    for path in files:
        for imported, line, at_once in rules.imports(path):
            top = imported.split(".")[0]
            leaf = top in rules.OURS and imported.endswith("_cpython")
            if leaf or top in rules.OURS or not at_once or top in rules.PORTABLE_IMPORTS:
                continue
            wrong.append(f"{path.relative_to(rules.ROOT)}:{line}: imports {imported}")
    assert not wrong, "\n".join(wrong)
    assert len(files) >= 12


def test_house_heavy_packages_stay_in_their_leaves() -> None:
    wrong = [
        f"{path.relative_to(rules.ROOT)}:{line}: imports {imported}"
        for path in rules.sources("gateway", "drivers")
        for imported, line, _ in rules.imports(path)
        if imported.split(".")[0] in rules.HEAVY and not path.stem.endswith("_cpython")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["gateway.agent", "gateway.__main__"])
def test_house_importing_the_agent_loads_no_heavy_package(name: str) -> None:
    script = f"import sys, {name}; print(sorted({rules.HEAVY!r} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=rules.ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_house_files_and_functions_are_small() -> None:
    wrong = []
    functions = 0
    for path in rules.sources(*rules.OURS):
        lines = path.read_text().splitlines()
        where = path.relative_to(rules.ROOT)
        if len(lines) > LINES_MAX:
            wrong.append(f"{where}: {len(lines)} lines")
        wrong += [
            f"{where}:{number}: {len(line)} columns"
            for number, line in enumerate(lines, 1)
            if len(line) > COLUMNS_MAX
        ]
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > FUNCTION_LINES_MAX:
                    wrong.append(f"{where}:{node.lineno}: {node.name} has {size} lines")
    assert not wrong, "\n".join(wrong)
    assert functions > 100


def test_house_every_function_says_its_types() -> None:
    wrong = []
    for path in rules.sources("gateway", "drivers", "tools"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [one.arg for one in given if one.annotation is None]
            if node.returns is None or [one for one in bare if one not in {"self", "cls"}]:
                wrong.append(f"{path.relative_to(rules.ROOT)}:{node.lineno}: {node.name}")
    assert not wrong, "\n".join(wrong)


def test_house_every_module_says_what_it_knows() -> None:
    silent = [
        str(path.relative_to(rules.ROOT))
        for path in rules.sources("gateway", "drivers", "tools")
        if ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent


def qos_2(source: str) -> list[int]:
    """Return the lines that ask for QoS 2: as a keyword, by place, in a pair, or by a name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        given: list[ast.expr] = []
        if isinstance(node, ast.keyword) and node.arg == "qos":
            given = [node.value]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(MQTT_CALLS):
            given = [one for arg in node.args for one in ast.walk(arg) if isinstance(one, ast.expr)]
        elif isinstance(node, ast.Assign) and "QOS" in ast.unparse(node.targets[0]).upper():
            given = [node.value]
        found += [one.lineno for one in given if isinstance(one, ast.Constant) and one.value == 2]
    return found


def test_house_qos_2_is_never_used() -> None:
    # Measured: paho with a stock broker reports QoS 2 messages delivered that were dropped.
    ways = [
        "p(t, qos=2)",
        "c.publish(t, b, 2)",
        "c.subscribe([(t, 2)])",
        "QOS = 2",
        "c.will_set(t, b, 2)",
    ]
    assert [qos_2(way) for way in ways] == [[1]] * len(ways)
    wrong = [
        f"{path}:{line}"
        for path in rules.sources("gateway", "tools")
        for line in qos_2(path.read_text())
    ]
    assert not wrong


def test_house_no_untrusted_input_reaches_an_evaluator() -> None:
    banned = {"eval", "exec", "compile", "__import__"}
    wrong = []
    for path in rules.sources("gateway", "drivers", "tools"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in banned or called in {"pickle.loads", "marshal.loads", "yaml.load"}:
                    wrong.append(f"{path.relative_to(rules.ROOT)}:{node.lineno}: {called}")
    assert not wrong, "\n".join(wrong)
