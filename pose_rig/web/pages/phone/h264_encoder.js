/** H.264 by WebCodecs: a tenth of the size of JPEGs. Frames are as Annex B, and key frames bring their parameters. */

const KEY = 2, DELTA = 3;
const BITS_PER_PIXEL = 0.15;
const KEY_EVERY = 30; // frames
const BASELINE = { 480: "avc1.42e01f", 720: "avc1.42e020", 1080: "avc1.42e02a" }; // levels 3.1, 3.2, 4.2
const MAX_QUEUE = 1;

export class H264Encoder {
  #encoded;
  #failed;
  #encoder = null;
  #form = "";
  #rate;
  #sinceKey = Infinity;
  #headers = new Map(); // timestamp in µs -> header

  /**
   * @param {(kind: number, payload: ArrayBuffer, header: object) => void} encoded
   * @param {() => void} failed This device cannot encode after all.
   * @param {number} rate Hz.
   */
  constructor(encoded, failed, rate) {
    this.#encoded = encoded;
    this.#failed = failed;
    this.#rate = rate;
  }

  /** Returns whether this browser can encode frames of a size. */
  static async supports(width, height, rate) {
    if (!globalThis.VideoEncoder || !globalThis.VideoFrame) return false;
    const { supported } = await VideoEncoder.isConfigSupported(settings(width, height, rate)).catch(() => ({}));
    return Boolean(supported);
  }

  get busy() {
    return this.#encoder !== null && this.#encoder.encodeQueueSize > MAX_QUEUE;
  }

  /** Makes the next frame one that can be decoded without those before it. */
  needKey() {
    this.#sinceKey = Infinity;
  }

  /** Encodes what a video shows, at the even size in `header`, which comes back with it. */
  encode(video, header) {
    const timestamp = Math.round(header.capture_ms * 1000);
    const frame = new VideoFrame(video, { timestamp }); // without a copy; the encoder scales it
    const rotation = frame.rotation ?? 0; // some systems leave it to the viewer
    const { width, height } = rotation % 180 ? { width: header.height, height: header.width } : header;
    this.#configure(width, height, rotation);
    this.#headers.set(timestamp, { ...header, width, height, rotation });
    const keyFrame = this.#sinceKey >= KEY_EVERY;
    this.#sinceKey = keyFrame ? 1 : this.#sinceKey + 1;
    this.#encoder.encode(frame, { keyFrame });
    frame.close();
  }

  close() {
    if (this.#encoder && this.#encoder.state !== "closed") this.#encoder.close();
    this.#encoder = null;
    this.#headers.clear();
  }

  #configure(width, height, rotation) {
    const form = [width, height, rotation].join();
    if (this.#encoder && form === this.#form) return;
    this.close();
    this.#form = form;
    this.needKey();
    this.#encoder = new VideoEncoder({ output: (chunk) => this.#output(chunk), error: () => this.#failed() });
    this.#encoder.configure(settings(width, height, this.#rate));
  }

  #output(chunk) {
    const header = this.#headers.get(chunk.timestamp), payload = new ArrayBuffer(chunk.byteLength);
    for (const timestamp of this.#headers.keys()) if (timestamp <= chunk.timestamp) this.#headers.delete(timestamp); // also of dropped ones
    chunk.copyTo(payload);
    if (header) this.#encoded(chunk.type === "key" ? KEY : DELTA, payload, header);
  }
}

function settings(width, height, framerate) {
  const lines = Math.min(width, height);
  return {
    codec: BASELINE[lines <= 480 ? 480 : lines <= 720 ? 720 : 1080], width, height, framerate,
    bitrate: Math.round(width * height * framerate * BITS_PER_PIXEL), latencyMode: "realtime", avc: { format: "annexb" },
  };
}
