/** What went wrong, and what to do about it, in words. */

const APPLE = /iPhone|iPad|Macintosh.*Safari/.test(navigator.userAgent) && !/Chrome|Chromium/.test(navigator.userAgent);

const CAMERA = {
  NotAllowedError: ["The camera is not allowed", APPLE
    ? "Tap AA or the icon left of the address, then Website Settings, Camera: Allow. Then try again."
    : "Tap the icon left of the address, then Permissions, Camera: Allow. Then try again."],
  NotFoundError: ["No camera found", "This device has no camera, or the browser may not use any."],
  OverconstrainedError: ["This camera is gone", "Choose another one."],
  NotReadableError: ["The camera is in use", "Close other apps that use the camera, then try again."],
  AbortError: ["The camera did not start", "Close other apps that use the camera, then try again."],
};

/** Returns title and remedy of an error of getUserMedia. */
export function cameraProblem(error) {
  return CAMERA[error.name] ?? ["The camera did not start", `${error.message || error.name}. Try again.`];
}

/** Returns title and remedy if this browser cannot be a camera at all, null if it can. */
export function browserProblem() {
  if (!isSecureContext)
    return ["This page needs https", "Browsers give the camera to secure pages only. Open the address that the rig shows: it begins with https."];
  if (!navigator.mediaDevices?.getUserMedia)
    return ["This browser has no access to cameras", "Open the address in Chrome, Firefox or Safari, not within another app."];
  return null;
}

/** Returns title and remedy where the page loads but its connection never opens. */
export function connectionProblem() {
  return APPLE
    ? { title: "Safari does not trust the rig yet", remedy: "Safari shows the page but refuses the connection until the certificate of your rig is installed:", certificate: true }
    : { title: "No connection to the rig", remedy: "Is it still running, and is this phone in the same Wi-Fi? Guest networks often keep devices apart." };
}
