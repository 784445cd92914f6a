/** Whether labels are written as JSON numbers where a format has room for it: "0" and "1" are, "setosa" and "007" not. */
export function areIntegers(labels: readonly string[]): boolean {
  return labels.every((label) => Number.isSafeInteger(Number(label)) && String(Number(label)) === label);
}
