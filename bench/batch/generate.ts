import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const ROWS_PER_WRITE = 10_000;
const EMPTY_CELLS = 0.01;

/** A random number from 0 to 1, the same sequence for the same seed (mulberry32). */
type Random = () => number;

function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const uniform = (random: Random, low: number, high: number) => low + random() * (high - low);
/** Many small values and few large ones, like enzymes, rooms and incomes. */
const skewed = (random: Random, low: number, high: number) => low * (high / low) ** (random() ** 1.5);
/** Around the middle of its range. */
const central = (random: Random, low: number, high: number) =>
  low + ((random() + random() + random()) / 3) * (high - low);

/** A patient in the ranges of the training data, in the model's column order; about every hundredth value is empty. */
function patient(random: Random): string {
  const cells = [
    central(random, 40, 95).toFixed(0),
    skewed(random, 23, 7861).toFixed(0),
    central(random, 14, 80).toFixed(0),
    // Every twelfth patient in the data has the mean of all, with its decimals.
    random() < 1 / 12 ? '263358.03' : (central(random, 25, 850) * 1000).toFixed(0),
    skewed(random, 0.5, 9.4).toFixed(random() < 0.2 ? 2 : 1),
    central(random, 113, 148).toFixed(0),
    random() < 0.65 ? '1' : '0',
    random() < 0.35 ? '1' : '0',
  ];
  return cells.map((cell) => (random() < EMPTY_CELLS ? '' : cell)).join(',');
}

const PROXIMITIES = ['<1H OCEAN', '<1H OCEAN', '<1H OCEAN', 'INLAND', 'INLAND', 'NEAR OCEAN', 'NEAR BAY'];

/** A district as the public table writes it; only `total_bedrooms` is empty now and then. */
function district(random: Random): string {
  const rooms = skewed(random, 200, 12_000);
  const households = rooms / uniform(random, 4, 7);
  return [
    uniform(random, -124.35, -114.31).toFixed(2),
    uniform(random, 32.54, 41.95).toFixed(2),
    uniform(random, 1, 52).toFixed(0) + '.0',
    rooms.toFixed(0) + '.0',
    random() < EMPTY_CELLS ? '' : (households * uniform(random, 1, 1.2)).toFixed(0) + '.0',
    (households * uniform(random, 2, 4)).toFixed(0) + '.0',
    households.toFixed(0) + '.0',
    skewed(random, 0.5, 15).toFixed(4),
    random() < 0.0003 ? 'ISLAND' : PROXIMITIES[Math.floor(random() * PROXIMITIES.length)],
  ].join(',');
}

const TABLES = {
  'heart-failure': {
    header:
      'age,creatinine_phosphokinase,ejection_fraction,platelets,serum_creatinine,serum_sodium,sex,high_blood_pressure',
    row: patient,
  },
  'california-housing': {
    header:
      'longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,ocean_proximity',
    row: district,
  },
};

export type TableName = keyof typeof TABLES;

export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** Writes a CSV file with this many rows, the same bytes each time. */
export async function generate(table: TableName, rows: number, path: string): Promise<void> {
  const { header, row } = TABLES[table];
  const random = seeded(1);
  const file = createWriteStream(path);
  file.write(`${header}\n`);
  for (let written = 0; written < rows; written += ROWS_PER_WRITE) {
    let text = '';
    for (let index = written; index < Math.min(rows, written + ROWS_PER_WRITE); index++)
      text += `${row(random)}\n`;
    if (!file.write(text)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
}
