// As much of UnityEngine as PoseRigReceiver.cs uses, with the real mathematics: bones that hang on each other.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class HeaderAttribute : Attribute { public HeaderAttribute(string text) { } }
    public class TooltipAttribute : Attribute { public TooltipAttribute(string text) { } }
    public class RequireComponent : Attribute { public RequireComponent(Type type) { } }

    public enum HumanBodyBones
    {
        Hips, LeftUpperLeg, RightUpperLeg, LeftLowerLeg, RightLowerLeg, LeftFoot, RightFoot, Spine, Chest, Neck, Head,
        LeftShoulder, RightShoulder, LeftUpperArm, RightUpperArm, LeftLowerArm, RightLowerArm, LeftHand, RightHand,
        LeftToes, RightToes, LeftEye, RightEye, Jaw, UpperChest = 54, LastBone = 55
    }

    public static class Mathf
    {
        public static float Abs(float x) { return Math.Abs(x); }
        public static float Floor(float x) { return (float)Math.Floor(x); }
    }

    public struct Vector3
    {
        public float x, y, z;
        public Vector3(float x, float y, float z) { this.x = x; this.y = y; this.z = z; }
        public static Vector3 operator +(Vector3 a, Vector3 b) { return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z); }
        public static Vector3 operator -(Vector3 a, Vector3 b) { return a + b * -1f; }
        public static Vector3 operator *(Vector3 a, float s) { return new Vector3(a.x * s, a.y * s, a.z * s); }
    }

    public struct Quaternion
    {
        public float x, y, z, w;
        public Quaternion(float x, float y, float z, float w) { this.x = x; this.y = y; this.z = z; this.w = w; }

        public static Quaternion Inverse(Quaternion q) { return new Quaternion(-q.x, -q.y, -q.z, q.w); }

        public static Quaternion Normalize(Quaternion q)
        {
            float length = (float)Math.Sqrt(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w);
            return new Quaternion(q.x / length, q.y / length, q.z / length, q.w / length);
        }

        public static Quaternion operator *(Quaternion a, Quaternion b)
        {
            return new Quaternion(
                a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                a.w * b.y + a.y * b.w + a.z * b.x - a.x * b.z,
                a.w * b.z + a.z * b.w + a.x * b.y - a.y * b.x,
                a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z);
        }

        public static Vector3 operator *(Quaternion q, Vector3 v)
        {
            Quaternion turned = q * new Quaternion(v.x, v.y, v.z, 0f) * Inverse(q);
            return new Vector3(turned.x, turned.y, turned.z);
        }
    }

    public class Transform
    {
        public Transform parent;
        public Vector3 localPosition;
        public Quaternion localRotation = new Quaternion(0f, 0f, 0f, 1f);
        public float scale = 1f; // the same along x, y and z

        public Quaternion rotation
        {
            get { return Quaternion.Normalize(parent == null ? localRotation : parent.rotation * localRotation); }
            set
            {
                Quaternion local = parent == null ? value : Quaternion.Inverse(parent.rotation) * value;
                localRotation = Quaternion.Normalize(local);
            }
        }

        public Vector3 position
        {
            get { return parent == null ? localPosition : parent.TransformPoint(localPosition); }
            set { localPosition = parent == null ? value : parent.InverseTransformPoint(value); }
        }

        float lossyScale { get { return parent == null ? scale : scale * parent.lossyScale; } }

        public Vector3 TransformPoint(Vector3 point) { return position + rotation * (point * lossyScale); }

        public Vector3 InverseTransformPoint(Vector3 point)
        {
            return Quaternion.Inverse(rotation) * (point - position) * (1f / lossyScale);
        }
    }

    public class MonoBehaviour
    {
        public Transform transform;
        public Animator animatorBeside; // the stub's own: the component on the same GameObject
        public T GetComponent<T>() where T : class { return animatorBeside as T; }
    }

    public class Animator
    {
        public Dictionary<HumanBodyBones, Transform> bones = new Dictionary<HumanBodyBones, Transform>();

        public bool isHuman { get { return bones.ContainsKey(HumanBodyBones.Hips); } }

        public Transform GetBoneTransform(HumanBodyBones bone)
        {
            if (!isHuman) throw new InvalidOperationException("Avatar is not of type humanoid.");
            if (bone < 0 || bone >= HumanBodyBones.LastBone) throw new IndexOutOfRangeException();
            Transform found;
            return bones.TryGetValue(bone, out found) ? found : null;
        }
    }
}
