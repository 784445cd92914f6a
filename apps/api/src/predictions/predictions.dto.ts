import { ApiProperty, ApiPropertyOptional, type OpenAPIObject } from '@nestjs/swagger';
import type { Column, ColumnType } from '#libs/inference';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type SchemaObject = Exclude<Schemas[string], { $ref: string }>;

export const FEATURES_SCHEMA = 'Features';

export class PlainPredictionDto {
  @ApiProperty({
    example: '0.5124506',
    description: 'Probability of the second label: the shortest decimal of a float32.',
  })
  yhat_prob!: string;

  @ApiProperty({
    example: '1',
    enum: ['0', '1'],
    description: '1 where the probability is over the threshold.',
  })
  yhat!: string;
}

class NamedModelDto {
  @ApiProperty({ example: 'heart-failure' })
  name!: string;

  @ApiProperty({ example: '1' })
  version!: string;
}

class NamedPredictionDto {
  @ApiPropertyOptional({ description: 'Of a classifier: one of its labels.' })
  label?: string;

  @ApiPropertyOptional({ description: 'Of a classifier: the probability of the label.' })
  confidence?: number;

  @ApiPropertyOptional({
    description: 'Of a classifier: a probability each label.',
    additionalProperties: { type: 'number' },
  })
  probabilities?: object;

  @ApiPropertyOptional({ description: 'Of a regression: its value.' })
  prediction?: number;
}

export class NamedAnswerDto {
  @ApiProperty()
  request_id!: string;

  @ApiProperty()
  model!: NamedModelDto;

  @ApiProperty({ type: [NamedPredictionDto], description: 'One an instance, in their order.' })
  predictions!: NamedPredictionDto[];
}

const TYPES: Record<ColumnType, SchemaObject[]> = {
  numeric: [{ type: 'number' }, { type: 'string' }, { type: 'boolean' }],
  boolean: [
    { type: 'boolean' },
    { type: 'integer', enum: [0, 1] },
    { type: 'string', enum: ['0', '1', 'true', 'false'] },
  ],
  categorical: [{ type: 'string' }],
};

/** The model's input schema as the schema of a request's body, with an example that works. */
export function featuresSchema(columns: readonly Column[]): SchemaObject {
  return {
    type: 'object',
    required: columns
      .filter((column) => column.required && column.default === undefined)
      .map(({ name }) => name),
    properties: Object.fromEntries(columns.map((column) => [column.name, columnSchema(column)])),
    additionalProperties: true,
    example: exampleOf(columns),
  };
}

function columnSchema({
  type,
  nullable,
  description,
  categories,
  minimum,
  maximum,
  ...column
}: Column): SchemaObject {
  const [main, ...others] = TYPES[type];
  return {
    anyOf: [{ ...main, ...(categories && { enum: categories }), minimum, maximum }, ...others],
    nullable,
    description,
    default: column.default,
    example: column.example,
  };
}

/** A body that works: the columns' own examples. */
export function exampleOf(columns: readonly Column[]): object {
  return Object.fromEntries(columns.map(({ name, example }) => [name, example ?? null]));
}
