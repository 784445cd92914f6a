import { z } from 'zod';

/** Data types and shapes as the Open Inference Protocol writes them; -1 is a variable size. */
const tensor = z.strictObject({ name: z.string(), datatype: z.string(), shape: z.array(z.number().int()) });

/** Labels are part of every answer. */
const label = z.string().max(1_000);
const MAX_LABELS = 10_000;
/** Each case is run by itself. */
const MAX_CASES = 10_000;

/** Folders are named after it. */
const nameLike = (pattern: RegExp, of: string) => z.string().regex(pattern, `must be ${of}`).max(128);

const described = {
  name: nameLike(/^[a-z0-9][a-z0-9._-]*$/, 'lower-case letters, digits, dots, dashes'),
  version: nameLike(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dots, dashes'),
  /** The hash of `model.onnx`, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
  description: z.string().optional(),
  inputs: z.array(tensor).min(1).optional(),
  outputs: z.array(tensor).min(1).optional(),
  training_data: z.record(z.string(), z.unknown()).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  search: z.record(z.string(), z.unknown()).optional(),
  framework: z.strictObject({ name: z.string(), version: z.string() }).optional(),
  converter: z.strictObject({ name: z.string(), version: z.string() }).optional(),
  opset: z.record(z.string(), z.number()).optional(),
  metrics: z
    .array(
      z.strictObject({
        name: z.string(),
        value: z.number(),
        standard_deviation: z.number().optional(),
        how: z.string(),
      }),
    )
    .optional(),
};

export const manifestFile = z.discriminatedUnion('task', [
  z.strictObject({
    ...described,
    task: z.literal('binary_classification'),
    labels: z.array(label).length(2),
    label_descriptions: z.array(z.string()).length(2).optional(),
    /** The second label is the answer if its probability is strictly above the threshold. */
    threshold: z.number().min(0).max(1).default(0.5),
  }),
  z.strictObject({
    ...described,
    task: z.literal('multiclass_classification'),
    /** In the order of the probabilities. */
    labels: z.array(label).min(2).max(MAX_LABELS),
    label_descriptions: z.array(z.string()).optional(),
  }),
  z.strictObject({ ...described, task: z.literal('regression') }),
]);

export const goldenFile = z.strictObject({
  /** The largest difference from the training framework's answer that is still the same answer. */
  tolerance: z.number().positive(),
  cases: z
    .array(
      z.strictObject({
        input: z.record(z.string(), z.unknown()),
        output: z.union([
          z.strictObject({ probabilities: z.array(z.number()), label: z.string().optional() }),
          z.strictObject({ prediction: z.number() }),
        ]),
      }),
    )
    .min(1)
    .max(MAX_CASES),
});

export type Manifest = z.infer<typeof manifestFile>;
export type Golden = z.infer<typeof goldenFile>;
