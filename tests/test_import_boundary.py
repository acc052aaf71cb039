"""Who may import whom, and that nobody imports in a circle.

tools → training → session | web → streaming → humanoid → capture | lifting | fusion | remote →
simulation | video | wire | assets → ground floor. What is side by side does not import each other.
"""

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

MOST_FILES = 20  # in one folder
PACKAGE = Path(__file__).parents[1] / "pose_rig"
FLOORS = {
    "ground": 0,
    "assets": 1,
    "simulation": 1,
    "video": 1,
    "wire": 1,
    "capture": 2,
    "lifting": 2,
    "fusion": 2,
    "remote": 2,
    "humanoid": 3,
    "streaming": 4,
    "session": 5,
    "web": 5,
    "training": 6,
    "tools": 7,
}


def part_of(module: str) -> str:
    """Returns the part that ``pose_rig.part.…`` belongs to."""
    name = module.split(".")[1] if "." in module else ""
    if name in {"__main__", "__init__", "api"}:  # the command line and the programming interface
        return "tools"
    return name if name in FLOORS else "ground"


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and full name of everything that a file imports from us, within functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "pose_rig")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if node.module == "pose_rig":
                yield from ((node.lineno, f"pose_rig.{alias.name}") for alias in node.names)
            elif node.module and node.module.startswith("pose_rig."):
                yield node.lineno, node.module


def breaches(root: Path) -> list[str]:
    """Returns every import below ``root`` that goes sideways or up."""
    found = []
    for path in sorted(root.rglob("*.py")):
        names = ("pose_rig", *path.relative_to(root).with_suffix("").parts)
        here = part_of(".".join(names))
        for line, module in imports_of(path):
            there = part_of(module)
            if there != here and FLOORS[there] >= FLOORS[here]:
                found.append(f"{path.relative_to(root)}:{line}: {here} imports {there} ({module})")
    return found


def modules_below(root: Path) -> dict[str, Path]:
    """Returns the files of the package by the names under which they are imported."""
    paths = sorted(root.rglob("*.py"))
    names = [".".join(("pose_rig", *path.relative_to(root).with_suffix("").parts)) for path in paths]
    return dict(zip((name.removesuffix(".__init__") for name in names), paths, strict=True))


def imported(path: Path, modules: Collection[str]) -> set[str]:
    """Returns those of ``modules`` that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            longer = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= longer if longer & set(modules) else {node.module}
    return found & set(modules)


def room(module: str, modules: dict[str, Path]) -> str:
    """Returns the folder that a module lies in, as a dotted name; the doors of the package are rooms of their own."""
    if module in {"pose_rig", "pose_rig.api", "pose_rig.__main__"}:
        return f"{module}:door"
    return module if modules[module].name == "__init__.py" else module.rpartition(".")[0]


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Returns the names along one circle of a graph; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def circles(root: Path) -> tuple[list[str], list[str]]:
    """Returns a circle of modules and one of rooms below ``root``; each empty if there is none."""
    modules = modules_below(root)
    files = {name: imported(path, modules) for name, path in modules.items()}
    rooms: dict[str, set[str]] = {}
    for name, others in files.items():
        here = room(name, modules)
        rooms.setdefault(here, set()).update({room(other, modules) for other in others} - {here})
    return circle(files), circle(rooms)


def test_imports_go_down_only() -> None:
    assert breaches(PACKAGE) == []


def test_every_part_has_a_floor() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(FLOORS)


def test_nothing_imports_in_a_circle() -> None:
    assert circles(PACKAGE) == ([], [])


def test_circles_are_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "one.py").write_text("from pose_rig.b import two\n")
    (tmp_path / "a" / "three.py").write_text("")
    (tmp_path / "b" / "two.py").write_text("def f() -> None:\n    from pose_rig.a.three import g\n")
    files, rooms = circles(tmp_path)
    assert files == []
    assert set(rooms) == {"pose_rig.a", "pose_rig.b"}
    (tmp_path / "a" / "three.py").write_text("import pose_rig.b.two\n")
    assert set(circles(tmp_path)[0]) == {"pose_rig.a.three", "pose_rig.b.two"}


@pytest.mark.parametrize("folder", ["pose_rig", "tests", "benchmarks"])
def test_a_folder_can_be_overlooked(folder: str) -> None:
    root = PACKAGE.parent / folder
    folders = [root, *(path for path in root.rglob("*") if path.is_dir() and path.name != "__pycache__")]
    files = {path: [file for file in path.iterdir() if file.is_file()] for path in folders}
    assert {str(path): len(names) for path, names in files.items() if len(names) > MOST_FILES} == {}


def test_a_breach_is_found(tmp_path: Path) -> None:
    for part in ("capture", "fusion"):
        (tmp_path / part).mkdir()
    (tmp_path / "capture" / "a.py").write_text("from pose_rig.config import Config\nfrom pose_rig.fusion import b\n")
    (tmp_path / "fusion" / "b.py").write_text("def f() -> None:\n    import pose_rig.tools.cli.app\n")
    assert breaches(tmp_path) == [
        "capture/a.py:2: capture imports fusion (pose_rig.fusion)",
        "fusion/b.py:2: fusion imports tools (pose_rig.tools.cli.app)",
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_packages_do_nothing_when_imported(path: Path) -> None:
    body = ast.parse(path.read_text("utf-8")).body
    if path.parent.name == "session":  # pose_rig.session.open(path) is what people type in notebooks
        body = [node for node in body if not isinstance(node, ast.ImportFrom)]
    assert all(isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) for node in body)


@pytest.mark.parametrize(
    ("modules", "blocked"),
    [
        ("pose_rig.capture, pose_rig.capture.process, pose_rig.capture.mediapipe_detector", "torch"),
        ("pose_rig.lifting.engine", "torch mediapipe cv2"),
        ("pose_rig.fusion, pose_rig.fusion.process, pose_rig.fusion.rig.solver_process", "torch mediapipe onnxruntime"),
        ("pose_rig.tools.cli.app, pose_rig.tools.workers.plan", "torch mediapipe cv2 onnxruntime"),
    ],
)
def test_it_imports_without(modules: str, blocked: str) -> None:
    block = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}.split()))"
    done = subprocess.run([sys.executable, "-c", f"{block}; import {modules}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
