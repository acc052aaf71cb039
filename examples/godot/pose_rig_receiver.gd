## Moves a Skeleton3D in Godot 4.2 or later with the poses of pose-rig.
## NOT TESTED in Godot, only parsed and linted.
##
## 1. Import the character with Retarget > BoneMap: SkeletonProfileHumanoid. Its bones are then
##    called Hips, Spine, Chest, ... and its rest pose is a T-pose, facing +z.
## 2. Put this script on a Node of the scene, and set `skeleton` to the character's Skeleton3D.
## 3. pose-rig run --cams 0,1,2 --json 127.0.0.1:39570/godot
## 4. Run the scene. Place the character by the nodes above its skeleton; play no animation.
## 5. It does not move? `received` and `bad` count frames and invalid datagrams, `problem` has the
##    problem.
class_name PoseRigReceiver
extends Node

const MAX_DATAGRAMS_PER_FRAME := 256  # a flood must not block the game
const MAX_POSITION_M := 1e4  # larger values are invalid

@export var skeleton: Skeleton3D
@export var port := 39570
@export var address := "127.0.0.1"  ## "*" for datagrams from the network too

var received := 0
var bad := 0
var problem := ""
var mode := ""
var tracking := false

var _udp := PacketPeerUDP.new()
var _bones: Array = []  # names, parents first, from the schema
var _hips_height_m := 0.0
var _frame: Dictionary = {}  # the newest; empty once it is applied


func _enter_tree() -> void:
	if _udp.bind(port, address) != OK:
		problem = "Cannot listen on %s:%d" % [address, port]


func _exit_tree() -> void:
	_udp.close()


func _process(_delta: float) -> void:
	for _i in MAX_DATAGRAMS_PER_FRAME:
		if not _udp.is_bound() or _udp.get_available_packet_count() == 0:
			break
		if not _add(_udp.get_packet().get_string_from_utf8()):
			bad += 1
	if skeleton != null and not _frame.is_empty():
		_apply()
	_frame = {}


## Returns whether a message is valid, and stores it.
func _add(text: String) -> bool:
	var json := JSON.new()
	if json.parse(text) != OK or not json.data is Dictionary:
		return false
	match str(json.data.get("type")):
		"schema":
			return _add_schema(json.data)
		"frame":
			return _bones.is_empty() or _add_frame(json.data)  # the schema comes within a second
	return false


func _add_frame(message: Dictionary) -> bool:
	var rotations: Variant = message.get("rotations")
	if not _numbers([message.get("root")], 1, 3) or not _numbers(rotations, _bones.size(), 4):
		return false
	for xyzw: Array in rotations:
		if absf(_quaternion(xyzw).length() - 1.0) > 0.1:
			return false
	_frame = message
	mode = str(message.get("mode"))
	tracking = str(message.get("tracking")).to_float() != 0.0
	received += 1
	return true


func _add_schema(message: Dictionary) -> bool:
	var axes := str(message.get("axes"))
	if axes != "godot":
		problem = "Sent in axes %s: use --json HOST:PORT/godot" % axes
		return message.get("axes") is String
	var bones: Variant = message.get("bones")
	if not bones is Array or bones.is_empty() or str(bones[0]) != "Hips":
		return false
	if not _numbers(message.get("rest"), bones.size(), 3) or message["rest"][0][1] < 0.01:
		return false
	if bones != _bones:
		_frame = {}
	_bones = bones
	_hips_height_m = message["rest"][0][1]
	problem = ""
	return true


## Rotates the bones. Our rotations are identity in T-pose, in the axes of the room; a pose of Godot
## includes the rest rotation, in the axes of the parent.
func _apply() -> void:
	for i in _bones.size():
		var bone := skeleton.find_bone(str(_bones[i]))
		if bone < 0:
			continue
		var parent := skeleton.get_bone_parent(bone)
		var parent_rest := skeleton.get_bone_global_rest(parent) if parent >= 0 else Transform3D.IDENTITY
		var at_rest := skeleton.get_bone_global_rest(bone)
		var rotation := _quaternion(_frame["rotations"][i]).normalized()
		var posed := (
			parent_rest.basis.get_rotation_quaternion().inverse()
			* rotation
			* at_rest.basis.get_rotation_quaternion()
		)
		skeleton.set_bone_pose_rotation(bone, posed)
		if i == 0:  # the hips: scaled to the legs of the character
			var root: Array = _frame["root"]
			var position := Vector3(root[0], root[1], root[2]) * (at_rest.origin.y / _hips_height_m)
			skeleton.set_bone_pose_position(bone, parent_rest.affine_inverse() * position)


func _quaternion(xyzw: Array) -> Quaternion:
	return Quaternion(xyzw[0], xyzw[1], xyzw[2], xyzw[3])


## Returns whether a value is `count` rows of `width` plausible numbers.
func _numbers(rows: Variant, count: int, width: int) -> bool:
	if not rows is Array or rows.size() != count:
		return false
	for row: Variant in rows:
		if not row is Array or row.size() != width:
			return false
		for value: Variant in row:
			if not (value is float or value is int) or not absf(value) < MAX_POSITION_M:
				return false
	return true
