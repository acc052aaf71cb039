// Moves a Humanoid avatar in Unity (2019 or later) with the poses of pose-rig. Needs no package.
//
// 1. Put this file into Assets, and add the component to the GameObject with the avatar's Animator.
// 2. The avatar's rig is Humanoid, and in T-pose when the scene starts (Avatar > Configure > Enforce T-Pose).
// 3. pose-rig run --cams 0,1,2 --json 127.0.0.1:39570/unity
// 4. Press Play. The avatar walks around its GameObject; place and rotate that as you like.
// 5. It does not move? The component shows the number of frames and of invalid datagrams (Bad), and a Remark.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using UnityEngine;

[RequireComponent(typeof(Animator))]
public class PoseRigReceiver : MonoBehaviour
{
    const int MaxDatagramsPerFrame = 256; // a flood must not block the game
    const float MaxPosition = 1e4f;       // metres; larger values are invalid

    public int port = 39570;
    [Tooltip("Off: datagrams of this machine only.")]
    public bool fromNetwork = false;

    [Header("Received")]
    public int received;
    public int bad;
    public string mode = "";
    public bool tracking;
    public string problem = "";

    Animator animator;
    UdpClient client;
    // of the avatar at the start: rotation of each bone relative to the GameObject, and height of the hips
    readonly Dictionary<HumanBodyBones, Quaternion> rest = new Dictionary<HumanBodyBones, Quaternion>();
    float hipsHeight;
    // of the schema
    List<string> bones;
    List<float> parents;
    float sentHipsHeight;
    // of the newest frame; null once it is applied
    List<float> root, rotations;

    void Awake()
    {
        animator = GetComponent<Animator>();
        if (!animator.isHuman)
        {
            problem = "This Animator has no Humanoid avatar.";
            return;
        }
        foreach (HumanBodyBones bone in Enum.GetValues(typeof(HumanBodyBones)))
        {
            Transform boneTransform = bone == HumanBodyBones.LastBone ? null : animator.GetBoneTransform(bone);
            if (boneTransform != null) rest[bone] = Quaternion.Inverse(transform.rotation) * boneTransform.rotation;
        }
        hipsHeight = transform.InverseTransformPoint(animator.GetBoneTransform(HumanBodyBones.Hips).position).y;
    }

    void OnEnable()
    {
        try
        {
            client = new UdpClient(new IPEndPoint(fromNetwork ? IPAddress.Any : IPAddress.Loopback, port));
        }
        catch (SocketException error)
        {
            problem = "Cannot listen on port " + port + ": " + error.Message;
        }
    }

    void OnDisable()
    {
        if (client != null) client.Close();
        client = null;
    }

    void LateUpdate() // after the Animator, which would overwrite it
    {
        if (client == null) return;
        Drain();
        if (rotations != null) Apply();
        rotations = null;
    }

    // Reads all datagrams and keeps the newest frame.
    void Drain()
    {
        IPEndPoint from = null;
        for (int i = 0; i < MaxDatagramsPerFrame; i++)
        {
            try
            {
                if (!client.Client.Poll(0, SelectMode.SelectRead)) return;
                if (!Add(Encoding.UTF8.GetString(client.Receive(ref from)))) bad++;
            }
            catch (SocketException)
            {
                bad++; // Windows reports datagrams that could not be received
            }
        }
    }

    // Returns whether a message is valid, and stores it.
    bool Add(string json)
    {
        string type = Word(json, "type");
        if (type == "schema") return AddSchema(json);
        if (type != "frame") return false;
        if (bones == null) return true; // the schema comes within a second
        List<float> position = Numbers(json, "root"), quaternions = Numbers(json, "rotations");
        List<float> tracked = Numbers(json, "tracking");
        if (position == null || position.Count != 3) return false;
        if (quaternions == null || quaternions.Count != 4 * bones.Count) return false;
        for (int i = 0; i < quaternions.Count; i += 4)
        {
            float square = 0f;
            for (int k = i; k < i + 4; k++) square += quaternions[k] * quaternions[k];
            if (square < 0.8f || square > 1.2f) return false;
        }
        root = position;
        rotations = quaternions;
        mode = Word(json, "mode") ?? "";
        tracking = tracked != null && tracked.Count == 1 && tracked[0] != 0f;
        received++;
        return true;
    }

    bool AddSchema(string json)
    {
        string axes = Word(json, "axes");
        if (axes != "unity")
        {
            problem = "Sent in axes " + axes + ": use --json HOST:PORT/unity";
            return axes != null;
        }
        List<string> names = Words(json, "bones");
        List<float> boneParents = Numbers(json, "bone_parents"), offsets = Numbers(json, "rest");
        if (names == null || boneParents == null || offsets == null || names.Count == 0) return false;
        if (boneParents.Count != names.Count || offsets.Count != 3 * names.Count || offsets[1] < 0.01f) return false;
        for (int i = 0; i < names.Count; i++) // parents first
        {
            float parent = boneParents[i];
            if (parent != Mathf.Floor(parent) || parent < -1f || parent >= i) return false;
        }
        if (bones != null && bones.Count != names.Count) rotations = null;
        bones = names;
        parents = boneParents;
        sentHipsHeight = offsets[1];
        if (animator.isHuman) problem = "";
        return true;
    }

    // Rotates the bones, parents first. Our rotations are identity in T-pose: they multiply a bone's rest rotation.
    void Apply()
    {
        Quaternion[] world = new Quaternion[bones.Count];
        for (int i = 0; i < bones.Count; i++)
        {
            int parent = (int)parents[i];
            Quaternion local = Rotation(i);
            world[i] = parent < 0 ? local : world[parent] * local;
            HumanBodyBones bone;
            Quaternion atRest;
            if (!Enum.TryParse(bones[i], out bone) || !rest.TryGetValue(bone, out atRest)) continue;
            Transform target = animator.GetBoneTransform(bone);
            if (target == null) continue;
            target.rotation = transform.rotation * world[i] * atRest;
            if (bone == HumanBodyBones.Hips) // scaled to the legs of the avatar
                target.position = transform.TransformPoint(Position() * (hipsHeight / sentHipsHeight));
        }
    }

    Vector3 Position()
    {
        return new Vector3(root[0], root[1], root[2]);
    }

    Quaternion Rotation(int bone)
    {
        int i = 4 * bone;
        return Quaternion.Normalize(
            new Quaternion(rotations[i], rotations[i + 1], rotations[i + 2], rotations[i + 3]));
    }

    // --- A minimal JSON parser: our messages are flat, and no key occurs within a string. ---

    // Finds the start and the end of the value of a key; false if there is none, or its brackets do not close.
    static bool Find(string json, string key, out int begin, out int end)
    {
        begin = end = json.IndexOf("\"" + key + "\":", StringComparison.Ordinal);
        if (begin < 0) return false;
        begin += key.Length + 3;
        int depth = 0;
        for (end = begin; end < json.Length; end++)
        {
            char c = json[end];
            if (depth == 0 && (c == ',' || c == '}')) return true;
            if (c == '[') depth++;
            if (c == ']' && --depth < 0) return false;
        }
        return false;
    }

    // Returns all numbers of a value, whatever arrays they are in; null if there is anything else in it.
    static List<float> Numbers(string json, string key)
    {
        int begin, end;
        if (!Find(json, key, out begin, out end)) return null;
        List<float> found = new List<float>();
        foreach (string part in json.Substring(begin, end - begin).Split(',', '[', ']', ' '))
        {
            float value;
            if (part.Length == 0) continue;
            if (!float.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out value)) return null;
            if (!(Mathf.Abs(value) < MaxPosition)) return null; // NaN too
            found.Add(value);
        }
        return found;
    }

    // Returns the strings of an array; null if there is none.
    static List<string> Words(string json, string key)
    {
        int begin, end;
        if (!Find(json, key, out begin, out end)) return null;
        List<string> found = new List<string>();
        foreach (string part in json.Substring(begin, end - begin).Trim('[', ']', ' ').Split(','))
            found.Add(part.Trim(' ', '"'));
        return found;
    }

    // Returns a string; null if there is none.
    static string Word(string json, string key)
    {
        List<string> found = Words(json, key);
        return found == null ? null : found[0];
    }
}
