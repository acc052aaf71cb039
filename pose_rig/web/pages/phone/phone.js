/** The phone page: a phone becomes a camera of the rig. */

import { Connection } from "../shared/connection.js";
import { keep, kept } from "../shared/store.js";
import { Theme } from "../shared/theme.js";
import { Clock } from "./clock.js";
import { battery, deviceId, deviceName } from "./device.js";
import { FrameSender } from "./frame_sender.js";
import { H264Encoder } from "./h264_encoder.js";
import { JpegEncoder } from "./jpeg_encoder.js";
import { PhoneCamera } from "./phone_camera.js";
import { browserProblem, cameraProblem, connectionProblem } from "./problems.js";
import { showFacts, showHint, showName, showProblem, showRigState, showSection, showState } from "./screen.js";
import { WakeLock } from "./wake_lock.js";

const STATUS_MS = 2000;
const FACTS_MS = 500;
const MAX_FAILURES = 4; // of the first connection, until the page says what may be wrong
const LOCK_HINT = "Switch off the automatic screen lock while this phone is a camera.";
const byId = (id) => document.getElementById(id);
const choices = { camera: byId("camera"), resolution: byId("resolution"), rate: byId("rate") };

let running = false, everOpen = false, failures = 0, rigFps = 0, power = null, accepted = false, cannotH264 = false;

const connection = new Connection({ open: opened, text: receive, lost });
const camera = new PhoneCamera(byId("preview"), () => running && resume());
const sender = new FrameSender(byId("preview"), (data) => connection.send(data));
const clock = new Clock((message) => connection.send(message));
const wakeLock = new WakeLock();

new Theme();
for (const [name, field] of Object.entries(choices)) {
  const before = kept(`phone-${name}`);
  if ([...field.options].some((option) => option.value === before)) field.value = before;
  field.addEventListener("change", () => keep(`phone-${name}`, field.value));
}
byId("start").addEventListener("click", start);
byId("again").addEventListener("click", () => (browserProblem() ? location.reload() : start()));
byId("stop").addEventListener("click", stop);
byId("flip").addEventListener("click", flip);
document.addEventListener("visibilitychange", () => running && !document.hidden && !camera.live && resume());
setInterval(reportStatus, STATUS_MS);
setInterval(() => running && showFacts(rigFps || sender.fps, sender.delay_ms, sender.size, power), FACTS_MS);
battery().then((state) => (power = state));
listCameras();
const unable = browserProblem();
if (unable) showProblem(...unable, { button: "Load again" });

// --- start and end --------------------------------------------------------------------------------------------------------
async function start() {
  byId("start").disabled = true;
  try {
    await openCamera();
  } catch (error) {
    return showProblem(...cameraProblem(error));
  } finally {
    byId("start").disabled = false;
  }
  running = true;
  everOpen = false;
  failures = 0;
  showSection("running");
  showName("Connecting", "");
  showState("Connecting", "Looking for the rig.");
  showHint(WakeLock.supported ? "" : LOCK_HINT);
  wakeLock.request();
  listCameras();
  if (connection.isOpen) opened();
  else connection.open();
}

function stop() {
  end();
  showSection("setup");
}

function end() {
  running = accepted = false;
  sender.stop();
  sender.encoder = null;
  clock.stop();
  connection.close();
  camera.close();
  wakeLock.release();
}

function openCamera() {
  return camera.open(choices.camera.value, Number(choices.resolution.value), Number(choices.rate.value));
}

/** Opens the camera again after the system took it away. */
async function resume() {
  try {
    await openCamera();
  } catch (error) {
    if (document.hidden) return; // tried again when the page is visible
    end();
    showProblem(...cameraProblem(error));
  }
}

async function flip() {
  choices.camera.value = camera.front ? "environment" : "user";
  keep("phone-camera", choices.camera.value);
  await resume();
}

/** Adds the further cameras of the phone to the choice, as soon as their names may be known. */
async function listCameras() {
  const known = new Set([...choices.camera.options].map((option) => option.value));
  for (const device of await PhoneCamera.list())
    if (!known.has(device.deviceId)) choices.camera.append(new Option(device.label, device.deviceId));
}

// --- the connection -----------------------------------------------------------------------------------------------------------
async function opened() {
  everOpen = true;
  const { videoWidth: width, videoHeight: height } = byId("preview");
  const h264 = !cannotH264 && (await H264Encoder.supports(even(width), even(height), camera.rate));
  const size = [width, height], name = await deviceName();
  connection.send({ type: "hello", id: deviceId(), name, size, fps: Number(choices.rate.value), codec: h264 ? "h264" : "jpeg" });
  encodeAs(h264 ? "h264" : "jpeg");
}

function lost() {
  sender.stop();
  clock.stop();
  rigFps = 0;
  accepted = false;
  if (!running) return;
  if (!everOpen && ++failures >= MAX_FAILURES) {
    const { title, remedy, certificate } = connectionProblem();
    end();
    return showProblem(title, remedy, { certificate });
  }
  showName("Not connected", "danger");
  showState(everOpen ? "Connection lost" : "Connecting", everOpen ? "Trying again by itself." : "Looking for the rig.");
}

const TAKE = {
  accepted(message) {
    accepted = true;
    if (message.codec) encodeAs(message.codec);
    showName(message.camera, "good");
    showState("Connected", "Waiting for the rig.");
    if (message.note) showHint(`Sending JPEG: ${message.note}`);
    clock.start();
    sender.start(message);
    reportStatus();
  },
  refused({ cause, remedy }) {
    end();
    showProblem(cause, remedy);
  },
  credit: ({ n }) => sender.grant(n),
  clock: (message) => clock.answer(message),
  key: () => sender.encoder?.needKey(),
  state(message) {
    rigFps = message.fps;
    showRigState(message);
  },
  bye({ text }) {
    end();
    showProblem("Disconnected by the rig", text, { button: "Connect again" });
  },
};

function receive(text) {
  const message = JSON.parse(text);
  if (running) TAKE[message.type]?.(message);
}

function encodeAs(codec) {
  const wanted = codec === "h264" ? H264Encoder : JpegEncoder;
  if (sender.encoder instanceof wanted) return sender.encoder.needKey();
  const deliver = (kind, payload, header) => sender.deliver(kind, payload, header);
  sender.encoder = codec === "h264" ? new H264Encoder(deliver, failedH264, camera.rate) : new JpegEncoder(deliver);
}

function failedH264() {
  cannotH264 = true;
  if (running) encodeAs("jpeg"); // the rig takes both at any time
}

function reportStatus() {
  if (!running || !accepted) return; // the first message is the hello
  const charge = power ? { battery: power.level, charging: power.charging } : { battery: null, charging: null };
  connection.send({ type: "status", ...charge, fps: Math.round(10 * sender.fps) / 10, hidden: document.hidden });
}

function even(pixels) {
  return 2 * Math.round(pixels / 2) || 2;
}
