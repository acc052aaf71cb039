"""Prints poses. Needs `pip install pyzmq msgspec`, but not pose-rig; format: docs/wire.md.

Start the rig, `pose-rig run --cams 0,1,2`, then: `python subscribe.py [tcp://127.0.0.1:5571]`
"""

import array
import sys
from typing import Any

import msgspec
import zmq

HEAD, LEFT_WRIST, RIGHT_WRIST = 10, 13, 16  # rows of `xyz`: docs/frames.md

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5571"
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.RCVHWM, 64)
socket.subscribe("pose\0")
socket.connect(endpoint)
while True:
    poses: dict[int, dict[str, Any]] = {}  # the newest of each person
    while not poses or socket.poll(0):
        pose = msgspec.msgpack.decode(socket.recv().partition(b"\0")[2])
        poses[pose.get("person", 0)] = pose
    for person, pose in sorted(poses.items()):
        xyz = array.array("f", pose["xyz"][2])
        head, left, right = (xyz[3 * joint + 1] for joint in (HEAD, LEFT_WRIST, RIGHT_WRIST))
        what = f"head {head:.2f} m, hands {left:.2f} and {right:.2f} m high" if pose["tracking"] else "not detected"
        print(f"{pose['t_ns']} {pose['mode']}, person {person + 1}: {what}")
