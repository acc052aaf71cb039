/** Every frame as a JPEG of its own. */

const QUALITY = 0.8;
const JPEG = 1;

export class JpegEncoder {
  #encoded;
  #canvas = globalThis.OffscreenCanvas ? new OffscreenCanvas(2, 2) : document.createElement("canvas");
  #pen = this.#canvas.getContext("2d", { alpha: false });
  busy = false;

  /** @param {(kind: number, payload: ArrayBuffer, header: object) => void} encoded */
  constructor(encoded) {
    this.#encoded = encoded;
  }

  /** Encodes what a video shows, at the size in `header`, which comes back with it. */
  async encode(video, header) {
    const canvas = this.#canvas, { width, height } = header;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    this.#pen.drawImage(video, 0, 0, width, height);
    this.busy = true;
    try {
      const blob = await (canvas.convertToBlob?.({ type: "image/jpeg", quality: QUALITY }) ?? toBlob(canvas));
      this.#encoded(JPEG, await blob.arrayBuffer(), header);
    } finally {
      this.busy = false;
    }
  }

  needKey() {}

  close() {
    this.#encoded = () => {};
  }
}

function toBlob(canvas) {
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
}
