/** Every frame as a JPEG of its own. */

const QUALITY = 0.8;
const JPEG = 1;

export class JpegEncoder {
  #encoded;
  busy = false;

  /** @param {(kind: number, payload: ArrayBuffer, header: object) => void} encoded */
  constructor(encoded) {
    this.#encoded = encoded;
  }

  /** Encodes what is on a canvas; `header` comes back with it. */
  async encode(canvas, header) {
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
