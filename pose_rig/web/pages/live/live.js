/** The live page: what the rig sends, and where it is shown. */

import { Connection } from "../shared/connection.js";
import { Theme } from "../shared/theme.js";
import { Avatar } from "./avatar.js";
import { Controls } from "./controls.js";
import { EventLog } from "./event_log.js";
import { Figures } from "./figures.js";
import { Floor } from "./floor.js";
import { Frusta } from "./frusta.js";
import { Headline } from "./headline.js";
import { PeopleList, peopleIn } from "./people.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";
import { Trails } from "./trails.js";
import { ViewTools } from "./view_tools.js";
import { Wearer } from "./wearer.js";

const IS_FRAME = /^\{"type":"(?:frame|pose)"/;
const FUSION = "fusion";

const figures = new Figures(), floor = new Floor(), trails = new Trails(), frusta = new Frusta(), avatar = new Avatar();
const stage = new Stage((height, fieldOfView) => frusta.resize(height, fieldOfView));
const headline = new Headline(), log = new EventLog(), people = new PeopleList(), wearer = new Wearer(showBodies);
let schema = null, rig = null, workers = new Map(), phones = {}, colours = null;
let recorded = false; // whether advice comes too late, as in a replay
let newest = null; // the text of the newest frame: it is parsed when it is drawn, so never in a hidden page

const connection = new Connection({ open: opened, text: receive, binary: (data) => strip.receive(data), lost });
const say = (text, refused = false) => log.add(text, refused);
const controls = new Controls((message) => connection.send(message), say);
const strip = new Strip({ chosen: lookThrough, watching: (cameras) => connection.send({ type: "watch", cameras }) });
const tools = new ViewTools({ stage, trails, frusta, avatar, log: say, changed: showBodies });

stage.scene.add(floor.group, figures.group, trails.group, frusta.group, avatar.group);
new Theme((chosen) => {
  colours = chosen;
  for (const part of [floor, figures, trails, frusta]) part.paint(colours);
  stage.invalidate();
  if (rig) frusta.update(rig.cameras);
});
document.fonts.ready.then(() => {
  frusta.paint(colours); // labels in the font that has arrived
  if (rig) frusta.update(rig.cameras);
});
controls.enable(false);
connection.open();
requestAnimationFrame(draw);

// --- the connection ---------------------------------------------------------------------------------------------------
function opened() {
  state("connected", "Connected", "good");
  document.getElementById("lost").hidden = true;
  controls.enable(true);
  connection.send({ type: "watch", cameras: strip.wanted });
}

function lost() {
  state("lost", "Not connected", "danger");
  gone("Connection to the rig lost. Trying again …");
}

function bye({ text }) {
  connection.close();
  state("lost", "Ended", "");
  gone(text);
}

function gone(why) {
  const banner = document.getElementById("lost");
  if (banner.textContent !== why || banner.hidden) banner.textContent = why;
  banner.hidden = false;
  controls.enable(false);
  controls.recording(null);
}

function state(name, text, kind) {
  document.body.dataset.connection = name;
  const pill = document.getElementById("connection");
  if (pill.textContent !== text) pill.textContent = text;
  pill.className = `pill ${kind}`;
}

// --- messages -----------------------------------------------------------------------------------------------------------
const TAKE = { hello, schema: takeSchema, rig: takeRig, status, keypoints, event, answer, bye };

function receive(text) {
  if (IS_FRAME.test(text)) newest = text;
  else {
    const message = JSON.parse(text);
    TAKE[message.type]?.(message);
  }
}

function hello(message) {
  controls.allow(message.control, message.live);
  recorded = Boolean(message.recorded);
  strip.withoutImages(message.no_images ?? {});
  state("connected", recorded ? "Playback" : "Live", "good");
  document.getElementById("program").textContent = message.program;
  strip.list(message.cameras);
}

function takeSchema(message) {
  const known = schema && bodyOf(schema) === bodyOf(message);
  schema = message;
  if (!known) for (const part of [figures, trails, avatar]) part.build(schema);
  headline.mode(schema.mode);
  newest = null; // an earlier frame may have other joints
}

/** Returns what figures, trails and avatar are built from; people may come and go without it. */
function bodyOf({ mode, joints, parents, bones, rest }) {
  return JSON.stringify([mode, joints, parents, bones, rest]);
}

function takeRig(message) {
  rig = message;
  headline.mode(rig.mode);
  strip.list(rig.cameras.map((camera) => camera.name));
  const changed = frusta.update(rig.cameras);
  tools.cameras(rig.cameras);
  if (changed) stage.fit(frusta.points());
  describeCameras();
}

function status(message) {
  workers = new Map(message.workers.map((health) => [health.worker, health]));
  phones = message.phones ?? {};
  headline.sentence(message.sentence);
  controls.recording(message.recording);
  const fusion = workers.get(FUSION);
  headline.facts(fusion?.rate_hz ?? 0, fusion?.age_ms ?? 0, rig?.height_m ?? schema?.height_m, rig?.height_assumed ?? schema?.height_assumed);
  describeCameras();
}

function describeCameras() {
  for (const camera of rig?.cameras ?? [])
    strip.card(camera.name)?.describe(camera, workers.get(camera.name), phones[camera.name], recorded);
}

function keypoints(message) {
  strip.card(message.camera)?.mark(message);
}

function event({ text }) {
  say(text);
}

function answer(message) {
  controls.answer(message);
}

// --- drawing ------------------------------------------------------------------------------------------------------------
function draw(now) {
  requestAnimationFrame(draw); // does not run in a hidden page
  if (newest && schema) {
    show(JSON.parse(newest), now);
    newest = null;
  }
  const backdrop = strip.draw(schema?.parents ?? [], stage.through);
  if (backdrop) stage.showBackdrop(backdrop);
  stage.render(now);
}

function show(frame, now) {
  if (frame.joints.length !== schema.joints.length) return;
  const everyone = peopleIn(frame).filter(({ joints }) => joints.length === schema.joints.length);
  figures.update(everyone);
  wearer.show(everyone.map(({ person }) => person), avatar.loaded);
  people.show(frame.people, schema.people);
  controls.people(frame.people);
  if (trails.group.visible) trails.update(everyone, frame.t_ns);
  const worn = everyone.find(({ person }) => person === wearer.person);
  if (avatar.loaded && worn) avatar.update(worn, now);
  headline.mode(frame.mode);
  headline.tracking(everyone.some(({ tracking }) => tracking));
  showBodies();
}

/** Shows the avatar in place of the figure of the person who drives it. */
function showBodies() {
  figures.showWithout(avatar.loaded ? wearer.person : null);
  stage.invalidate();
}

function lookThrough(name) {
  if (!tools.enter(name)) say(`The rig has not found ${name} yet.`, true);
}
