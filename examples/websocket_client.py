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
            for person in message.get("people", [message]):  # one person alone: the fields of the frame itself
                name = f"person {person.get('person', 0) + 1}"
                position = dict(zip(joints, person["joints"], strict=True))
                note = "" if person["tracking"] else ", not detected"
                views = ", ".join(f"{camera} {view['xy'][0]}" for camera, view in person.get("refined", {}).items())
                head, mode = position["head"], message["mode"]
                print(f"{message['index']} {mode}, {name}: head {head}, pelvis in images: {views}{note}")
        else:
            print(f"{message['cause']} {message['remedy']}")
