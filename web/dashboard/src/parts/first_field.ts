// The fields of a box: which one is first, and whether something was typed in one.

const FIELDS = ["input:not([type=hidden], [aria-hidden=true], :disabled)", ".select:not(:disabled)", ".checkbox:not(:disabled)", "textarea:not(:disabled)"].join();

export const fieldIn = (box: HTMLElement): HTMLElement | null => box.querySelector<HTMLElement>(FIELDS);

/** Focus the first field, unless somebody is in one. */
export function focusFirst(box: HTMLElement): void {
  if (!document.activeElement?.matches(FIELDS)) fieldIn(box)?.focus();
}

/** Whether a field is not as it was; what a form keeps by itself is not lost. */
export const hasTyped = (box: HTMLElement): boolean =>
  [...box.querySelectorAll<HTMLElement>("input:not([aria-hidden=true]), textarea, [data-begun]")].some((field) => {
    if (field.closest("[data-kept]")) return false;
    if (field.dataset.begun !== undefined) return field.dataset.value !== field.dataset.begun;
    return (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) && field.value !== field.defaultValue;
  });
