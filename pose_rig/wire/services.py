"""The workers of a rig: names, ports, how often each publishes, and after how long what it published is stale.

Topics belong to the messages (`pose_rig.wire.messages`); docs/wire.md describes both for other programs.
"""

from pose_rig.wire.messages import Command, Health, Pose3D, RigState, Streams

# a camera worker has the name of its camera; ``gateway`` receives from cameras of other machines
FUSION, RECORDER, STREAMS, WEB, GATEWAY = "fusion", "recorder", "streams", "web", "gateway"
IMAGES = "images"  # of a replay, which has no camera workers
RESERVED_NAMES = (FUSION, RECORDER, STREAMS, WEB, GATEWAY)  # no camera may have one

LOOPBACK = "127.0.0.1"
POSE_PORT = 5571
STREAMS_PORT_OFFSET = 1  # the streams worker publishes this far above the port of the poses (`Config.port`)
REMOTE_PORT_OFFSET = 2  # and remote cameras connect this far above it
VMC_PORT, VRCHAT_PORT, JSON_PORT, WEBSOCKET_PORT = 39539, 9000, 39570, 39571  # of receivers, unless one is given

STATUS_TOPICS = (Pose3D.TOPIC, RigState.TOPIC, Health.TOPIC, Streams.TOPIC)  # all that a display needs
RUN_TOPICS = (*STATUS_TOPICS, Command.TOPIC)  # all that a run needs

# How often a worker publishes its Health, s; poses and keypoints are published as they are made.
CAMERA_REPORT_S = 0.5
CAMERA_READY_REPORT_S = 0.1  # until its first frame: the start of files depends on it
FUSION_REPORT_S = 0.25  # with RigState; at once when the mode changes
RECORDER_REPORT_S = 0.5
STREAMS_REPORT_S = 1.0  # with Streams
WEB_REPORT_S = 1.0
GATEWAY_REPORT_S = 0.5

# How old the newest message may be, s.
POSE_STALE_S = 0.5  # then no person is tracked, as after an exit of the fusion worker
REFINED_STALE_S = 0.5  # older than the pose by more: this camera does not detect the person at present
REPORT_STALE_S = 3.0  # then a worker is shown as silent
HANG_TIMEOUT_S = 10.0  # then a live worker is killed and restarted
