"""Prints poses from JSON. Needs `pip install websockets`; format: docs/wire.md.

Start the rig, `pose-rig run --cams 0,1,2 --websocket 39571`, then:
`python websocket_client.py [ws://127.0.0.1:39571/?axes=rig&refined=1&rate=10]`
"""

import json
import sys

from websockets.sync.client import connect

address = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:39571/?axes=rig&refined=1&rate=10"
with connect(address) as socket:
    for text in socket:
        message = json.loads(text)
        if message["type"] == "schema":
            joints = message["joints"]
            print(f"{message['generator']}: {len(joints)} joints, axes {message['axes']}, up {message['up']}")
        elif message["type"] == "frame":
            position = dict(zip(joints, message["joints"], strict=True))
            note = "" if message["tracking"] else ", no person is tracked"
            views = ", ".join(f"{camera} {view['xy'][0]}" for camera, view in message.get("refined", {}).items())
            print(f"{message['index']} {message['mode']}: head {position['head']}, pelvis in images: {views}{note}")
        else:
            print(f"{message['cause']} {message['remedy']}")
