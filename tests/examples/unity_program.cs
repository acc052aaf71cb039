// Plays Unity: an avatar, the receiver on it, datagrams, frames of a game.
//
// Usage: unity_program.exe AVATAR DATAGRAMS PORT
// AVATAR: a line for each transform, parents first, the GameObject itself being the first:
//     name, parent or "-", local position, local rotation, scale
// DATAGRAMS: lines in base64; at a line "-" the game draws a frame, and places and turns of all are printed.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Net.Sockets;
using System.Reflection;
using System.Threading;
using UnityEngine;

static class Program
{
    static readonly Dictionary<string, Transform> transforms = new Dictionary<string, Transform>();

    static void Main(string[] arguments)
    {
        Thread.CurrentThread.CurrentCulture = new CultureInfo("de-DE"); // where numbers have commas
        PoseRigReceiver receiver = new PoseRigReceiver { animatorBeside = new Animator() };
        foreach (string line in File.ReadAllLines(arguments[0])) Add(line.Split(' '), receiver);
        receiver.port = int.Parse(arguments[2]);
        Call(receiver, "Awake");
        Call(receiver, "OnEnable");
        using (UdpClient sender = new UdpClient())
        {
            sender.Connect("127.0.0.1", receiver.port);
            foreach (string line in File.ReadAllLines(arguments[1]))
            {
                if (line == "-") Draw(receiver);
                else sender.Send(Convert.FromBase64String(line), Convert.FromBase64String(line).Length);
            }
        }
        Call(receiver, "OnDisable");
        Call(receiver, "LateUpdate"); // does nothing, and does not fail
        Console.WriteLine("{0}|{1}|{2}|{3}|{4}",
            receiver.received, receiver.bad, receiver.mode, receiver.tracking, receiver.problem);
    }

    static void Add(string[] words, PoseRigReceiver receiver)
    {
        float[] numbers = Array.ConvertAll(words, word => Parsed(word));
        Transform made = new Transform
        {
            parent = words[1] == "-" ? null : transforms[words[1]],
            localPosition = new Vector3(numbers[2], numbers[3], numbers[4]),
            localRotation = new Quaternion(numbers[5], numbers[6], numbers[7], numbers[8]),
            scale = numbers[9],
        };
        transforms[words[0]] = made;
        HumanBodyBones bone;
        if (words[1] == "-") receiver.transform = made;
        else if (Enum.TryParse(words[0], out bone)) receiver.animatorBeside.bones[bone] = made;
    }

    static float Parsed(string word)
    {
        float value;
        return float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out value) ? value : 0f;
    }

    static void Draw(PoseRigReceiver receiver)
    {
        Call(receiver, "LateUpdate");
        List<string> said = new List<string>();
        foreach (Transform one in transforms.Values)
            said.Add(string.Format(CultureInfo.InvariantCulture, "{0} {1} {2} {3} {4} {5} {6}",
                one.position.x, one.position.y, one.position.z,
                one.rotation.x, one.rotation.y, one.rotation.z, one.rotation.w));
        Console.WriteLine(string.Join(" ", said));
    }

    static void Call(PoseRigReceiver receiver, string name) // as Unity does, whether they are private or not
    {
        BindingFlags any = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public;
        typeof(PoseRigReceiver).GetMethod(name, any).Invoke(receiver, null);
    }
}
