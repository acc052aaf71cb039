"""Who may import whom: tools → training → session → streaming → capture | lifting | fusion → ground floor."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pose_rig"
FLOORS = {
    "ground": 0,
    "capture": 1,
    "lifting": 1,
    "fusion": 1,
    "streaming": 2,
    "session": 3,
    "training": 4,
    "tools": 5,
}


def part_of(module: str) -> str:
    """Returns the part that ``pose_rig.part.…`` belongs to."""
    name = module.split(".")[1] if "." in module else ""
    if name == "__main__":  # the command line
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


def test_imports_go_down_only() -> None:
    assert breaches(PACKAGE) == []


def test_every_part_has_a_floor() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= set(FLOORS)


def test_a_breach_is_found(tmp_path: Path) -> None:
    for part in ("capture", "fusion"):
        (tmp_path / part).mkdir()
    (tmp_path / "capture" / "a.py").write_text("from pose_rig.config import Config\nfrom pose_rig.fusion import b\n")
    (tmp_path / "fusion" / "b.py").write_text("def f() -> None:\n    import pose_rig.tools.cli\n")
    assert breaches(tmp_path) == [
        "capture/a.py:2: capture imports fusion (pose_rig.fusion)",
        "fusion/b.py:2: fusion imports tools (pose_rig.tools.cli)",
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_packages_do_nothing_when_imported(path: Path) -> None:
    body = ast.parse(path.read_text("utf-8")).body
    if path.parent.name == "session":  # pose_rig.session.open(path) is what people type in notebooks
        body = [node for node in body if not isinstance(node, ast.ImportFrom)]
    assert all(isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) for node in body)


@pytest.mark.parametrize(
    ("modules", "blocked"),
    [
        ("pose_rig.capture, pose_rig.capture.process, pose_rig.capture.detector", "torch"),
        ("pose_rig.lifting.engine", "torch mediapipe cv2"),
        ("pose_rig.fusion, pose_rig.fusion.process, pose_rig.fusion.solver", "torch mediapipe onnxruntime"),
        ("pose_rig.tools.cli, pose_rig.tools.workers", "torch mediapipe cv2 onnxruntime"),
    ],
)
def test_it_imports_without(modules: str, blocked: str) -> None:
    block = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}.split()))"
    done = subprocess.run([sys.executable, "-c", f"{block}; import {modules}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
