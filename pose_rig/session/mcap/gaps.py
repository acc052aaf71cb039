"""What is missing in a stream of messages, said in so many words."""

from pose_rig.wire.messages import Keypoints2D, Message
from pose_rig.wire.records import Gap


class GapFinder:
    """Watches the frame numbers of every camera."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # number and instant

    def before(self, message: Message) -> list[Gap]:
        """Returns the gap that ends with a message, if there is one."""
        if not isinstance(message, Keypoints2D):
            return []
        index, t_ns = self._last.get(message.camera, (message.index - 1, message.t_ns))
        self._last[message.camera] = (message.index, message.t_ns)
        missing = message.index - index - 1
        if missing == 0:
            return []
        restarted = missing < 0
        return [
            Gap(
                source=message.camera,
                what="frames",
                from_ns=t_ns,
                t_ns=message.t_ns,
                missing=message.index if restarted else missing,
                reason="the camera was restarted" if restarted else "dropped: the camera or its detector was behind",
            )
        ]
