import io

from rich.console import Console

from pose_rig.tools.terminal.downloads import bar


def test_a_terminal_shows_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with bar(console, "clip.whl", 51_000_000) as show:
        show(25_500_000)
        show(51_000_000)
    assert "clip.whl" in out.getvalue()
    assert "51.0/51.0 MB" in out.getvalue()
