"""Live devices: a thread that always holds just the newest frame."""

import threading
import time

from pose_rig.capture.source import Frame
from pose_rig.capture.video_capture import Device
from pose_rig.errors import SourceError

FROZEN_AFTER_S = 2.0
FIRST_FRAME_S = 5.0  # cameras need seconds to wake up, DirectShow ones most
JOIN_S = 0.3  # a thread stuck in the driver is left behind and ends with the process


class LiveSource:
    """A live device as a `Source`: frames are grabbed without pause, and only the newest is kept.

    Each is stamped with the monotonic clock right after the grab, before it is decoded. There is no end.

    Args:
        device: Opened and set up; from now on the thread's, which also releases it.
        identity: What it is found again by.
        detail: What was negotiated.
        size_px: (width, height) it promised.
        fps: Frames per second it promised.
        frozen_after_s: No frame for this long counts as frozen.
        first_frame_s: The same for the first frame.
    """

    landmarks = ""
    fault = ""
    total_frames: int | None = None

    def __init__(
        self,
        device: Device,
        identity: str,
        detail: str,
        size_px: tuple[int, int],
        fps: float,
        *,
        frozen_after_s: float = FROZEN_AFTER_S,
        first_frame_s: float = FIRST_FRAME_S,
    ) -> None:
        self.identity, self.detail, self.size_px, self.fps = identity, detail, size_px, fps
        self._device = device
        self._frozen_after_s = frozen_after_s
        self._silent_until_s = time.monotonic() + first_frame_s
        self._news = threading.Condition()
        self._newest: Frame | None = None
        self._lost = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._grab_on, name=f"grab {identity}", daemon=True)
        self._thread.start()

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` for a frame that was not read yet.

        Raises:
            SourceError: The device is gone, or has been silent for too long.
        """
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._lost, timeout_s)
            if self._newest is not None:
                return True
            if self._lost:
                raise SourceError(f"{self.identity} was lost.", "Check its cable or network; it is tried again.")
            if time.monotonic() > self._silent_until_s:
                raise SourceError(
                    f"{self.identity} is frozen: no frame for {self._frozen_after_s:g} s.",
                    "Unplug it and plug it in again; several cameras on one USB hub may exceed its bandwidth.",
                )
            return False

    def read(self) -> Frame | None:
        """Returns the newest frame; there is no end."""
        while not self.poll(self._frozen_after_s):
            pass
        with self._news:
            frame, self._newest = self._newest, None
            return frame

    def close(self) -> None:
        """Stops the thread, which releases the device as soon as the driver lets it."""
        self._closing.set()
        self._thread.join(JOIN_S)

    def _grab_on(self) -> None:
        index = 0
        try:
            while not self._closing.is_set() and self._device.grab():
                t_ns = time.monotonic_ns()
                decoded, image = self._device.retrieve()
                with self._news:
                    self._newest = Frame(index, t_ns, self.size_px, image if decoded else None, None)
                    self._silent_until_s = time.monotonic() + self._frozen_after_s
                    self._news.notify_all()
                index += 1
        finally:
            self._device.release()
            with self._news:
                self._lost = True
                self._news.notify_all()
