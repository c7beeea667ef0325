import ast
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import app
import evals
import index
import qa

HEAVY = {"torch", "sentence_transformers", "transformers", "gradio", "onnx", "onnxscript", "sklearn"}
FILES = [file for package in (index, qa, app, evals) for file in sorted(Path(package.__file__).parent.rglob("*.py"))]
MODULES = [file for file in FILES if file.name != "__main__.py"]  # that one is run, never imported


def _loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def test_importing_qa_loads_nothing_heavy():
    loaded = _loaded_after("import qa")
    assert loaded & HEAVY == set()
    assert {"qa", "index"} <= loaded
    assert {"app", "evals"} & loaded == set()


def test_opening_and_asking_loads_nothing_heavy_once_the_model_is_exported(embedder, home):
    code = "import qa\nwith qa.open(text='The oak is 300 years old.') as bot: bot.ask('How old is the oak?')"
    assert _loaded_after(code) & HEAVY == set()


def test_qa_help_loads_no_library_of_the_project():
    code = "from app.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0"
    loaded = _loaded_after(code)
    assert loaded & (HEAVY | {"llama_index", "chromadb", "numpy", "onnxruntime", "rich", "qa"}) == set()
    assert "click" in loaded


def test_qa_exports_at_most_ten_names_and_no_others():
    assert len(qa.__all__) <= 10
    assert qa.__all__ == sorted(qa.__all__)
    public = {name for name in dir(qa) if not name.startswith("_") and not isinstance(getattr(qa, name), types.ModuleType)}
    assert public == set(qa.__all__)


def _exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def _bound(tree: ast.Module) -> set[str]:
    """Returns the names that a module's top level defines, assigns or imports."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Says whether click makes a command of a function, which is then no name for others to import."""
    return any(".command" in ast.unparse(decorator) or ".group" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_the_modules_were_found():
    assert {path.parent.name for path in MODULES} >= {"index", "qa", "app", "evals", "bench"}
    assert len(MODULES) > 30


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_all_names_what_a_module_offers(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    definitions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    public = {node.name for node in definitions if not node.name.startswith("_") and not _is_command(node)}
    exported = _exported(tree)
    if path.name == "__init__.py" and not _bound(tree):
        assert exported is None  # a package's docstring and nothing else
        return
    assert exported is not None
    assert len(exported) == len(set(exported))
    assert set(exported) <= _bound(tree)
    assert public <= set(exported)
