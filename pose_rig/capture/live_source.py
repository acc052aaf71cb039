"""Live devices: a thread grabs all frames and keeps only the newest."""

import threading
import time

from pose_rig.capture.source import Frame, SourceInfo
from pose_rig.capture.video_capture import Device
from pose_rig.errors import SourceError
from pose_rig.wire.jobs import SYSTEM_CLOCK, WallClock

FROZEN_TIMEOUT_S = 2.0
FIRST_FRAME_TIMEOUT_S = 5.0  # cameras take seconds to start, DirectShow ones longest
JOIN_TIMEOUT_S = 0.3  # a thread that is blocked in the driver ends with the process


class LiveSource:
    """A live device as a `Source`: frames are grabbed continuously, and only the newest is kept.

    Each frame has the monotonic time right after its grab, before it is decoded. There is no end.

    Args:
        device: Open and configured; only the thread uses it from now on, and releases it.
        info: Its negotiated properties.
        frozen_timeout_s: A device that delivers no frame for this long is frozen.
        first_frame_timeout_s: The same for the first frame.
        clock: By which frames are timed.
    """

    fault = ""

    def __init__(
        self,
        device: Device,
        info: SourceInfo,
        *,
        frozen_timeout_s: float = FROZEN_TIMEOUT_S,
        first_frame_timeout_s: float = FIRST_FRAME_TIMEOUT_S,
        clock: WallClock = SYSTEM_CLOCK,
    ) -> None:
        self.info = info
        self._device, self._clock = device, clock
        self._frozen_timeout_s = frozen_timeout_s
        self._deadline_s = time.monotonic() + first_frame_timeout_s
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._lost = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._grab_frames, name=f"grab {info.identity}", daemon=True)
        self._thread.start()

    def poll(self, timeout_s: float) -> bool:
        """Waits up to ``timeout_s`` for a new frame.

        Raises:
            SourceError: The device was lost or is frozen.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._lost, timeout_s)
            if self._newest is not None:
                return True
            if self._lost:
                raise SourceError(f"{self.info.identity} was lost.", "Check its cable or network; pose-rig reconnects.")
            if time.monotonic() > self._deadline_s:
                raise SourceError(
                    f"{self.info.identity} is frozen: no frame for {self._frozen_timeout_s:g} s.",
                    "Unplug it and plug it in again; several cameras on one USB hub may exceed its bandwidth.",
                )
            return False

    def read(self) -> Frame | None:
        """Returns the newest frame; there is no end."""
        while not self.poll(self._frozen_timeout_s):
            pass
        with self._changed:
            frame, self._newest = self._newest, None
            return frame

    def close(self) -> None:
        """Stops the thread, which releases the device as soon as the driver returns."""
        self._closing.set()
        self._thread.join(JOIN_TIMEOUT_S)

    def _grab_frames(self) -> None:
        index = 0
        try:
            while not self._closing.is_set() and self._device.grab():
                t_ns = self._clock.monotonic_ns()
                decoded, image = self._device.retrieve()
                with self._changed:
                    self._newest = Frame(index, t_ns, self.info.size_px, image if decoded else None, None)
                    self._deadline_s = time.monotonic() + self._frozen_timeout_s
                    self._changed.notify_all()
                index += 1
        finally:
            self._device.release()
            with self._changed:
                self._lost = True
                self._changed.notify_all()
