/** The camera of this phone: opened, switched, and opened again when the system took it away. */

const SIZES = { 480: [640, 480], 720: [1280, 720], 1080: [1920, 1080] };

export class PhoneCamera {
  stream = null;
  #video;
  #ended;

  /**
   * @param {HTMLVideoElement} video Shows what the camera sees.
   * @param {() => void} ended Called when the system takes the camera away.
   */
  constructor(video, ended) {
    this.#video = video;
    this.#ended = ended;
  }

  /** Whether it delivers images. */
  get live() {
    const track = this.#track;
    return Boolean(track && track.readyState === "live" && !track.muted);
  }

  /** Whether it looks at the person who holds the phone. */
  get front() {
    return this.#track?.getSettings().facingMode === "user";
  }

  /** Frame rate that the system gives, Hz. */
  get rate() {
    return Math.round(this.#track?.getSettings().frameRate ?? 30);
  }

  /**
   * Opens a camera.
   *
   * @param {string} camera "environment" or "user", or the id of a device.
   * @param {number} resolution Lines of the image: 480, 720 or 1080.
   * @param {number} rate Hz.
   */
  async open(camera, resolution, rate) {
    this.close();
    const [width, height] = SIZES[resolution];
    const which = camera in { environment: 0, user: 0 } ? { facingMode: { ideal: camera } } : { deviceId: { exact: camera } };
    const size = { width: { ideal: width }, height: { ideal: height }, resizeMode: { ideal: "none" } }; // never cropped
    const wanted = { ...which, ...size, frameRate: { ideal: rate } };
    this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    const track = this.#track;
    track.addEventListener("ended", () => track === this.#track && this.#ended());
    if (track.getCapabilities?.().torch) await track.applyConstraints({ advanced: [{ torch: false }] }).catch(() => {});
    this.#video.srcObject = this.stream;
    this.#video.classList.toggle("mirrored", this.front);
    await this.#video.play();
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.#video.srcObject = null;
  }

  /** Returns the cameras of this device, with names; without permission there are none. */
  static async list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => null)) ?? [];
    return devices.filter((device) => device.kind === "videoinput" && device.deviceId && device.label);
  }

  get #track() {
    return this.stream?.getVideoTracks()[0];
  }
}
