// The title of the browser's tab: how many alarms are open, and which page this is.

let page = "";
let alarms = "";

function draw(): void {
  document.title = [alarms && `(${alarms})`, page && `${page} –`, "Roost"].filter(Boolean).join(" ");
}

export function titlePage(name: string): void {
  page = name;
  draw();
}

/** "3", "99+", or "" for none. */
export function titleAlarms(count: string): void {
  alarms = count;
  draw();
}

let isArriving = false;

/** Somebody went to another page: the focus goes to its heading as soon as that is there. */
export function arrive(): void {
  isArriving = true;
}

/** Whether the heading shall have the focus: once for each page, and never out of a field. */
export function takesFocus(): boolean {
  const isFirst = isArriving;
  isArriving = false;
  return isFirst && !document.activeElement?.closest("[role=dialog], input, textarea, .select");
}
