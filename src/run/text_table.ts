/** A table in columns; numbers, as they stand in text, go to the right. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const isNumeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => NUMBER.test(row[column]!)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return all.map(line).join("\n");
}

const NUMBER = /^-?[\d,.]+( ms| s)?$|^-$/;
