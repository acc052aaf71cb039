/** Sends frames with their capture times. Only as many are under way as the rig has given credit for; others are skipped. */

const HEADER_BYTES = 20;
const RATE_MS = 2000; // over which the rate is counted
const ENCODER_MS = 1000; // after which a frame does not come out of an encoder any more
const MIN_CAPTURE_AGE_MS = -5, MAX_CAPTURE_AGE_MS = 2000; // outside, a browser's capture time is not believed

export class FrameSender {
  fps = 0;
  delay_ms = null; // from capture until the rig has taken a frame
  size = null;
  #encoder = null;
  #encoding = 0; // frames that the encoder has
  #deliveredAt = 0;
  #video;
  #send;
  #credit = 0;
  #interval_ms = 0;
  #maxSide = 0;
  #index = 0;
  #due_ms = 0;
  #running = false;
  #inFlight = []; // capture times
  #sent = []; // times of sending

  /** @param {HTMLVideoElement} video @param {(data: ArrayBuffer) => boolean} send */
  constructor(video, send) {
    this.#video = video;
    this.#send = send;
  }

  get encoder() {
    return this.#encoder;
  }

  /** Replaces the encoder, and closes the one before; null: there is none any more. */
  set encoder(encoder) {
    this.#encoder?.close();
    this.#encoder = encoder;
    this.#reclaim();
  }

  /** Begins with what the rig has accepted: frames in flight, Hz, and longest side in px. */
  start({ credit, fps, max_side_px: maxSide }) {
    this.#credit = credit;
    this.#interval_ms = 1000 / fps;
    this.#maxSide = maxSide;
    this.#inFlight.length = this.#sent.length = this.#encoding = 0;
    this.#encoder.needKey();
    if (this.#running) return;
    this.#running = true;
    this.#next();
  }

  stop() {
    this.#running = false;
    this.fps = 0;
    this.delay_ms = null;
  }

  /** The rig has taken `n` frames. */
  grant(n) {
    this.#credit += n;
    const now = performance.now();
    for (const capture_ms of this.#inFlight.splice(0, n)) {
      const delay = now - capture_ms;
      this.delay_ms = this.delay_ms === null ? delay : 0.9 * this.delay_ms + 0.1 * delay;
    }
  }

  /** Frames as they are encoded come here. */
  deliver(kind, payload, { capture_ms, width, height, rotation }) {
    if (this.#encoding === 0) return; // of an earlier connection
    this.#encoding--;
    this.#deliveredAt = performance.now();
    const data = new ArrayBuffer(HEADER_BYTES + payload.byteLength), view = new DataView(data);
    view.setUint8(0, kind);
    view.setUint16(2, rotation, true); // clockwise, which makes the image upright
    view.setUint16(4, width, true);
    view.setUint16(6, height, true);
    view.setUint32(8, this.#index++, true);
    view.setFloat64(12, capture_ms, true);
    new Uint8Array(data, HEADER_BYTES).set(new Uint8Array(payload));
    this.#inFlight.push(capture_ms);
    const now = performance.now();
    if (this.#send(data)) this.#sent.push(now);
    while (this.#sent[0] < now - RATE_MS) this.#sent.shift();
    this.fps = this.#sent.length / (RATE_MS / 1000);
  }

  /** Takes back the credit of frames that the encoder has kept for itself. */
  #reclaim() {
    this.#credit += this.#encoding;
    this.#encoding = 0;
  }

  #next() {
    if (!this.#running) return;
    const again = (now, metadata) => {
      this.#frame(now, metadata);
      this.#next();
    };
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(again);
    else requestAnimationFrame((now) => again(now, {}));
  }

  #frame(now, metadata) {
    const { videoWidth, videoHeight } = this.#video;
    if (!this.#running || !videoWidth || this.#encoder.busy) return;
    if (this.#encoding && performance.now() - this.#deliveredAt > ENCODER_MS) this.#reclaim();
    if (this.#credit < 1) return;
    const capture_ms = captureTime(now, metadata);
    if (capture_ms < this.#due_ms - this.#interval_ms / 4) return; // the camera is faster than the rig wants
    this.#due_ms = Math.max(this.#due_ms, capture_ms - this.#interval_ms) + this.#interval_ms;
    const scale = Math.min(1, this.#maxSide / Math.max(videoWidth, videoHeight));
    const width = 2 * Math.round((videoWidth * scale) / 2), height = 2 * Math.round((videoHeight * scale) / 2);
    this.size = [width, height];
    this.#credit--;
    if (this.#encoding++ === 0) this.#deliveredAt = performance.now();
    this.#encoder.encode(this.#video, { capture_ms, width, height, rotation: 0 });
  }
}

/** Returns when a frame was captured, on the clock of performance.now(). */
function captureTime(now, { captureTime: captured, presentationTime: presented }) {
  const age = now - captured;
  if (age > MIN_CAPTURE_AGE_MS && age < MAX_CAPTURE_AGE_MS) return captured;
  return Math.min(now, presented ?? now);
}
