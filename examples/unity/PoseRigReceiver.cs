// Moves a Humanoid avatar in Unity (2019 or later) with what pose-rig sends. Needs no package.
//
// 1. Put this file into Assets, and the component onto the GameObject that has the avatar's Animator.
// 2. The avatar's rig is Humanoid, and stands in T-pose when the scene starts (Avatar > Configure > Enforce T-Pose).
// 3. pose-rig run --cams 0,1,2 --json 127.0.0.1:39570/unity
// 4. Press Play. The avatar walks about its GameObject; place and turn that as you like.
// 5. It does not move? The component shows how many frames came, how much garbage (Bad), and a Remark if it has one.

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
    const int MostPerFrame = 256; // datagrams; a flood must not stop the game
    const float Farthest = 1e4f;  // metres; what is beyond that is garbage

    public int port = 39570;
    [Tooltip("Off: datagrams of this machine only.")]
    public bool fromNetwork = false;

    [Header("What came")]
    public int received;
    public int bad;
    public string mode = "";
    public bool tracking;
    public string remark = "";

    Animator animator;
    UdpClient client;
    // of the avatar at start: each bone's turn from the GameObject's, and how high the hips are
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
            remark = "This Animator has no Humanoid avatar.";
            return;
        }
        foreach (HumanBodyBones bone in Enum.GetValues(typeof(HumanBodyBones)))
        {
            Transform found = bone == HumanBodyBones.LastBone ? null : animator.GetBoneTransform(bone);
            if (found != null) rest[bone] = Quaternion.Inverse(transform.rotation) * found.rotation;
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
            remark = "Cannot listen on port " + port + ": " + error.Message;
        }
    }

    void OnDisable()
    {
        if (client != null) client.Close();
        client = null;
    }

    void LateUpdate() // after the Animator, which would write over it
    {
        if (client == null) return;
        Drain();
        if (rotations != null) Apply();
        rotations = null;
    }

    // Reads all that came; what is newest stays.
    void Drain()
    {
        IPEndPoint from = null;
        for (int i = 0; i < MostPerFrame; i++)
        {
            try
            {
                if (!client.Client.Poll(0, SelectMode.SelectRead)) return;
                if (!Take(Encoding.UTF8.GetString(client.Receive(ref from)))) bad++;
            }
            catch (SocketException)
            {
                bad++; // Windows tells of datagrams that could not be received
            }
        }
    }

    // Returns whether a message makes sense, and remembers it.
    bool Take(string json)
    {
        string type = Word(json, "type");
        if (type == "schema") return TakeSchema(json);
        if (type != "frame") return false;
        if (bones == null) return true; // the schema comes within a second
        List<float> place = Numbers(json, "root"), turns = Numbers(json, "rotations"), seen = Numbers(json, "tracking");
        if (place == null || place.Count != 3 || turns == null || turns.Count != 4 * bones.Count) return false;
        for (int i = 0; i < turns.Count; i += 4)
        {
            float square = 0f;
            for (int k = i; k < i + 4; k++) square += turns[k] * turns[k];
            if (square < 0.8f || square > 1.2f) return false;
        }
        root = place;
        rotations = turns;
        mode = Word(json, "mode") ?? "";
        tracking = seen != null && seen.Count == 1 && seen[0] != 0f;
        received++;
        return true;
    }

    bool TakeSchema(string json)
    {
        string axes = Word(json, "axes");
        if (axes != "unity")
        {
            remark = "Sent in axes " + axes + ": use --json HOST:PORT/unity";
            return axes != null;
        }
        List<string> names = Words(json, "bones");
        List<float> above = Numbers(json, "bone_parents"), offsets = Numbers(json, "rest");
        if (names == null || above == null || offsets == null || names.Count == 0) return false;
        if (above.Count != names.Count || offsets.Count != 3 * names.Count || offsets[1] < 0.01f) return false;
        for (int i = 0; i < names.Count; i++)
            if (above[i] != Mathf.Floor(above[i]) || above[i] < -1f || above[i] >= i) return false; // parents first
        if (bones != null && bones.Count != names.Count) rotations = null;
        bones = names;
        parents = above;
        sentHipsHeight = offsets[1];
        if (animator.isHuman) remark = "";
        return true;
    }

    // Turns the bones, parents first. Ours are no turns at all in T-pose, so they come on top of a bone's own rest.
    void Apply()
    {
        Quaternion[] turned = new Quaternion[bones.Count];
        for (int i = 0; i < bones.Count; i++)
        {
            int parent = (int)parents[i];
            Quaternion own = Turn(i);
            turned[i] = parent < 0 ? own : turned[parent] * own;
            HumanBodyBones bone;
            Quaternion atRest;
            if (!Enum.TryParse(bones[i], out bone) || !rest.TryGetValue(bone, out atRest)) continue;
            Transform moved = animator.GetBoneTransform(bone);
            if (moved == null) continue;
            moved.rotation = transform.rotation * turned[i] * atRest;
            if (bone == HumanBodyBones.Hips) // someone taller takes longer steps
                moved.position = transform.TransformPoint(Place() * (hipsHeight / sentHipsHeight));
        }
    }

    Vector3 Place()
    {
        return new Vector3(root[0], root[1], root[2]);
    }

    Quaternion Turn(int bone)
    {
        int i = 4 * bone;
        return Quaternion.Normalize(
            new Quaternion(rotations[i], rotations[i + 1], rotations[i + 2], rotations[i + 3]));
    }

    // --- As much of JSON as this needs: our messages are flat, and no key occurs within a text. ---

    // Returns where the value of a key begins and ends; false if there is none, or its brackets do not close.
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

    // Returns all numbers of a value, whatever arrays they are in; null if there is anything else.
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
            if (!(Mathf.Abs(value) < Farthest)) return null; // NaN too
            found.Add(value);
        }
        return found;
    }

    // Returns the texts of an array; null if there is none.
    static List<string> Words(string json, string key)
    {
        int begin, end;
        if (!Find(json, key, out begin, out end)) return null;
        List<string> found = new List<string>();
        foreach (string part in json.Substring(begin, end - begin).Trim('[', ']', ' ').Split(','))
            found.Add(part.Trim(' ', '"'));
        return found;
    }

    // Returns a text; null if there is none.
    static string Word(string json, string key)
    {
        List<string> found = Words(json, key);
        return found == null ? null : found[0];
    }
}
