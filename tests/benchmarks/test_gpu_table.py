import json
from pathlib import Path

from benchmarks.gpu_table import rows


def test_every_step_has_its_state_and_its_figures(tmp_path: Path) -> None:
    (tmp_path / "steps.tsv").write_text(
        "gpu\tok\t1\ntests\tok\t20\ngraph_cuda\tok\t8\nfuse_tensorrt\tnot available: No module named 'tensorrt'\t1\n"
        "training\tstopped after 60 s\t61\n"
    )
    (tmp_path / "gpu.log").write_text("NVIDIA H200, 580.159.04, 143771 MiB\n")
    (tmp_path / "tests.log").write_text(".....\nSKIPPED [8] ...\n10 passed, 8 skipped in 17.27s\n")
    figures = [
        {"name": "cuda: 4 views, 1 hypotheses", "unit": "ms", "median": 0.3637, "target": "< 0.25"},
        {"name": "cuda: 4 views, 1 hypotheses: rotations", "unit": "°", "median": 2e-05, "target": "< 0.1"},
        {"name": "cuda: 2 views, 1 hypotheses", "unit": "ms", "median": 0.4, "target": ""},
    ]
    (tmp_path / "graph_cuda.json").write_text(json.dumps({"figures": figures}))
    (tmp_path / "training.log").write_text("Reading.\nStopped after 134 steps; the best weights so far are used.\n")
    assert list(rows(tmp_path)) == [
        ("gpu", "", "1 s", "ok"),
        ("", "NVIDIA H200, 580.159.04, 143771 MiB", "", ""),
        ("tests", "", "20 s", "ok"),
        ("", "10 passed, 8 skipped in 17.27s", "", ""),
        ("graph_cuda", "", "8 s", "ok"),
        ("", "cuda: 4 views, 1 hypotheses", "0.3637 ms", "< 0.25"),
        ("", "cuda: 4 views, 1 hypotheses: rotations", "2e-05 °", "< 0.1"),
        ("fuse_tensorrt", "", "1 s", "not available: No module named 'tensorrt'"),
        ("training", "", "61 s", "stopped after 60 s"),
        ("", "Stopped after 134 steps; the best weights so far are used.", "", ""),
    ]
