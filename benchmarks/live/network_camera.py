"""A network camera on loopback that can be cut: Motion JPEG over HTTP."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

SIZE_PX = (320, 240)
RATE_HZ = 5.0  # its detector is not what is measured


class NetworkCamera:
    """Serves noise as a video at ``url``, unless it is cut."""

    def __init__(self) -> None:
        self._cut = cut = threading.Event()
        image = np.random.default_rng(0).integers(0, 255, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        data = cv2.imencode(".jpg", image)[1].tobytes()

        class Handler(BaseHTTPRequestHandler):
            """Sends images until the camera is cut."""

            def do_GET(self) -> None:
                """Sends them."""
                if cut.is_set():
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                while not cut.is_set():
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return
                    time.sleep(1 / RATE_HZ)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Prints nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/video.mjpg"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def cut(self) -> None:
        """Ends all connections, and answers no more."""
        self._cut.set()

    def restore(self) -> None:
        """Answers again."""
        self._cut.clear()

    def close(self) -> None:
        """Stops the server."""
        self._cut.set()
        self._server.shutdown()
        self._server.server_close()
