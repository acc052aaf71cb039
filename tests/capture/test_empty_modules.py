import subprocess
import sys
from types import ModuleType

import pytest

from pose_rig.capture.empty_modules import empty_modules


def test_modules_are_empty_in_the_block_and_importable_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with empty_modules("colorsys", "json"):
        import colorsys

        assert not hasattr(colorsys, "rgb_to_hsv")
        import json  # is loaded already

        assert json.loads("1") == 1
    import colorsys as real

    assert isinstance(real, ModuleType)
    assert real.rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_the_detector_loads_no_plots_and_no_sound_and_leaves_them_to_others() -> None:
    code = (
        "import sys, pose_rig.capture.mediapipe_detector\n"
        "assert not {'matplotlib', 'matplotlib.pyplot', 'sounddevice'} & set(sys.modules)\n"
        "import matplotlib.pyplot\n"
        "assert matplotlib.pyplot.figure"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
