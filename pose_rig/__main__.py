"""``python -m pose_rig`` is ``pose-rig``."""

import sys


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a traceback even while it is still being loaded."""
    try:
        from pose_rig.tools.cli.app import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
