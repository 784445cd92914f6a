import type { RowGroup } from 'hyparquet';

/** One row group of a file that others are part of, too: its place is known to the code that puts them together. */
export interface PlacedLater {
  bytes: Uint8Array;
  rowGroups: RowGroup[];
}

/** Where a row group lies is written in it: it is moved behind what is there already. */
export function moveRowGroup(rowGroup: RowGroup, by: number): RowGroup {
  const move = (offset: bigint | undefined) => (offset === undefined ? undefined : offset + BigInt(by));
  return {
    ...rowGroup,
    file_offset: move(rowGroup.file_offset),
    columns: rowGroup.columns.map((column) => ({
      ...column,
      file_offset: move(column.file_offset)!,
      meta_data: column.meta_data && {
        ...column.meta_data,
        data_page_offset: move(column.meta_data.data_page_offset)!,
        dictionary_page_offset: move(column.meta_data.dictionary_page_offset),
      },
    })),
  };
}
