// Where there is room for a name.

/** From this zoom on places matter more than countries. */
export const DETAILED_NAMES = 6;
// More names than fit on a wall.
const BOXES_MAX = 400;

export type Box = [left: number, top: number, right: number, bottom: number];

/** Takes the room if nobody has it. */
export function fits(taken: Box[], wanted: Box): boolean {
  const [left, top, right, bottom] = wanted;
  if (taken.length >= BOXES_MAX || taken.some((each) => left < each[2] && right > each[0] && top < each[3] && bottom > each[1])) return false;
  taken.push(wanted);
  return true;
}
