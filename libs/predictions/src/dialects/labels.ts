/** Whether labels are written as JSON numbers in formats that allow it: "0" and "1" are, "setosa" and "007" are not. */
export function areIntegers(labels: readonly string[]): boolean {
  return labels.every((label) => Number.isSafeInteger(Number(label)) && String(Number(label)) === label);
}
