/** Which 2D landmarks of a detector are joined by lines. Sets without an entry are drawn as points. */

const COCO = [[5, 7], [7, 9], [6, 8], [8, 10], [5, 6], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [0, 5], [0, 6]];
const OPENPOSE = [[0, 1], [1, 2], [2, 3], [3, 4], [1, 5], [5, 6], [6, 7]];
const LINES = {
  mediapipe33: [
    [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [11, 23], [12, 24], [23, 24], [23, 25], [25, 27], [24, 26], [26, 28],
    [27, 29], [29, 31], [27, 31], [28, 30], [30, 32], [28, 32], [15, 19], [16, 20], [7, 8],
  ],
  coco17: COCO,
  wholebody133: COCO,
  halpe26: COCO,
  halpe136: COCO,
  coco18: [...OPENPOSE, [1, 8], [8, 9], [9, 10], [1, 11], [11, 12], [12, 13]],
  body25: [...OPENPOSE, [1, 8], [8, 9], [9, 10], [10, 11], [8, 12], [12, 13], [13, 14]],
};
const NONE = [];

/** Returns pairs of indices. */
export function linesOf(landmarks) {
  return LINES[landmarks] ?? NONE;
}
