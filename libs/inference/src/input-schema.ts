import { z } from 'zod';

export type ColumnType = 'numeric' | 'boolean' | 'categorical';

const MAX_COLUMNS = 10_000;
const MAX_TEXT = 1_000;

const scalar = z.union([z.number(), z.string(), z.boolean(), z.null()]);

const column = z
  .strictObject({
    name: z.string().min(1).max(MAX_TEXT),
    type: z.enum(['numeric', 'boolean', 'categorical']),
    /** Whether an explicit null is a missing value. */
    nullable: z.boolean().default(false),
    /** Whether the column must be present; an optional one without a default is a missing value. */
    required: z.boolean().default(true),
    default: scalar.optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    categories: z
      .array(z.union([z.string().max(MAX_TEXT), z.number()]))
      .min(1)
      .optional(),
    description: z.string().optional(),
    example: scalar.optional(),
  })
  .refine(
    ({ type, categories }) => type === 'categorical' || !categories,
    'only categorical columns have categories',
  )
  .refine(
    ({ type, minimum, maximum }) => type === 'numeric' || (minimum === undefined && maximum === undefined),
    'only numeric columns have a minimum or maximum',
  );

/** `input_schema.json`. The order of columns is the order of features. */
export const inputSchemaFile = z.strictObject({
  input_schema: z.strictObject({
    columns: z
      .array(column)
      .min(1)
      .max(MAX_COLUMNS)
      .refine(
        (columns) => new Set(columns.map(({ name }) => name)).size === columns.length,
        'two columns have one name',
      ),
  }),
});

export type Column = z.infer<typeof column>;
